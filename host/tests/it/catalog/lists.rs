//! Lists of venues, series and events: filters, orders and pages.

use serde_json::{Value, json};

use super::{create, event, event_body, venue};
use crate::harness::{Kind, Rest};
use crate::tracker::{all_pages, done, encode, faults, on, on_every_store};

on_every_store! {
    events_are_filtered_by_their_fields
    event_pages_are_complete
    venues_and_series_are_listed
}

async fn titles(rest: &Rest, path: &str) -> Vec<String> {
    let events = all_pages(rest, path, "events", 2).await;
    events.iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect()
}

/// Creates five events: one is a draft, one is cancelled.
async fn shows(rest: &Rest, venue: &str) {
    let at = |day: u32| (format!("2126-03-0{day}T19:00:00Z"), format!("2126-03-0{day}T22:00:00Z"));
    let shows = [
        ("A", 3, json!({"status": "active", "featured": true})),
        ("B", 1, json!({"status": "active", "category": "theatre", "venue_id": venue})),
        ("C", 2, json!({"status": "draft", "featured": true})),
        ("D", 4, json!({"status": "active"})),
    ];
    for (title, day, mut more) in shows {
        let (start, end) = at(day);
        more.as_object_mut()
            .unwrap()
            .extend([("start_date".into(), json!(start)), ("end_date".into(), json!(end))]);
        event(rest, title, more).await;
    }
    let gone = event(rest, "E", json!({"status": "active", "featured": true})).await;
    done(&rest.patch(&format!("/v1/events/{gone}"), json!({"status": "cancelled"})).await);
}

async fn events_are_filtered_by_their_fields(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let hall = venue(&rest, "Hall").await;
    shows(&rest, &hall).await;
    let nobody = rest.with_key(None);
    let at_hall = format!("venue:{hall}");
    for (filter, order, all, public) in [
        ("", "title", "ABCDE", "ABDE"),
        ("", "", "DACEB", "DAEB"),
        ("", "starts", "BECAD", "BEAD"),
        ("status:active", "starts", "BAD", "BAD"),
        ("status:draft", "title", "C", ""),
        ("-status:active,cancelled", "title", "C", ""),
        ("category:theatre", "title", "B", "B"),
        (&*at_hall, "title", "B", "B"),
        ("venue:none featured:false", "title", "D", "D"),
        ("starts>=2126-03-02 ends<2126-03-04", "title", "AC", "A"),
        ("title:A,D", "title desc", "DA", "DA"),
        ("series:none category:concert", "created", "ACDE", "ADE"),
    ] {
        let path = format!("/v1/events?filter={}&order_by={}", encode(filter), encode(order));
        assert_eq!(titles(&rest, &path).await.concat(), all, "{filter} {order}");
        assert_eq!(titles(&nobody, &path).await.concat(), public, "{filter} {order}");
    }
    let featured = "/v1/events/featured?order_by=title";
    // Neither the cancelled E nor the ended F.
    let over = event(&rest, "F", json!({"status": "active", "featured": true, "category": "opera"})).await;
    done(&rest.patch(&format!("/v1/events/{over}"), json!({"status": "ended"})).await);
    assert_eq!(titles(&rest, featured).await.concat(), "AC");
    assert_eq!(titles(&nobody, featured).await.concat(), "A");
    assert_eq!(titles(&nobody, &format!("{featured}&filter=status:cancelled,ended")).await.concat(), "");
    assert_eq!(
        titles(&nobody, "/v1/events?filter=status:cancelled,ended&order_by=title").await.concat(),
        "EF"
    );
    let categories = nobody.get("/v1/events/categories").await;
    let expected = json!([{"name": "concert", "events": 2}, {"name": "theatre", "events": 1}]);
    assert_eq!(categories.expect(200)["categories"], expected);
    assert_eq!(rest.get("/v1/events/categories").await.expect(200)["categories"], expected);
    assert_eq!(faults(&nobody.get("/v1/events?filter=colour:red").await), ["filter"]);
    assert_eq!(faults(&nobody.get("/v1/events?order_by=venue").await), ["order_by"]);
    assert_eq!(faults(&nobody.get("/v1/events?page_size=-1").await), ["page_size"]);
}

async fn event_pages_are_complete(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    for n in 0..7 {
        event(&rest, &format!("Show {n}"), json!({"status": "active"})).await;
    }
    let nobody = rest.with_key(None);
    for order in ["", "starts", "created desc", "title"] {
        let path = format!("/v1/events?order_by={}", encode(order));
        let mut found = titles(&nobody, &path).await;
        found.sort();
        assert_eq!(found, (0..7).map(|n| format!("Show {n}")).collect::<Vec<_>>(), "{order}");
    }
    let page = nobody.get("/v1/events?page_size=3").await;
    let token = page.expect(200)["next_page_token"].as_str().unwrap().to_owned();
    event(&rest, "Later", json!({"status": "active", "start_date": "2126-02-01", "end_date": "2126-02-02"}))
        .await;
    let rest_of_it = nobody.get(&format!("/v1/events?page_size=100&page_token={token}")).await;
    assert_eq!(rest_of_it.expect(200)["events"].as_array().unwrap().len(), 5);
    let other = nobody.get(&format!("/v1/events/featured?page_token={token}")).await;
    assert_eq!(other.body["violations"][0]["field"], "page_token", "{:#}", other.body);
}

async fn venues_and_series_are_listed(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    for name in ["Hall", "Arena", "Club"] {
        venue(&rest, name).await;
        create(&rest, "/v1/series", json!({"name": name}), "series").await;
    }
    let nobody = rest.with_key(None);
    let names = |found: Vec<Value>| {
        found.iter().map(|object| object["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for list in ["venues", "series"] {
        let by = async |query: &str| names(all_pages(&nobody, &format!("/v1/{list}?{query}"), list, 2).await);
        assert_eq!(by("order_by=name").await, ["Arena", "Club", "Hall"], "{list}");
        assert_eq!(by("order_by=created").await, ["Hall", "Arena", "Club"], "{list}");
        assert_eq!(by("filter=name:Club").await, ["Club"], "{list}");
        let refused = nobody.get(&format!("/v1/{list}?order_by=city")).await;
        assert_eq!(faults(&refused), ["order_by"], "{list}");
    }
    let found = all_pages(&nobody, "/v1/venues?filter=city:Berlin%20country:Germany", "venues", 2).await;
    assert_eq!(found.len(), 3);
    let refused = rest.post("/v1/events", event_body("x", &json!({"venue_id": "Hall"}))).await;
    assert_eq!(refused.code(400), "INVALID_ARGUMENT");
}
