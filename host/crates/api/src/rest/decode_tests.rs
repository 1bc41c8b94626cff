use tessera_proto::issues::v1::UpdateIssueRequest;
use tessera_proto::ticket::v1::{
    CreateTicketTypeRequest, ListVenuesRequest, ReserveTicketsRequest, UpdateEventRequest, UpdateVenueRequest,
};

use super::*;

fn refusal<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
    json::<T>(text.as_bytes()).unwrap_err().message().to_owned()
}

#[test]
fn faults_have_field_value_and_expected_type() {
    let integer = "a whole number from -2147483648 to 2147483647 is expected";
    let object = "an object with amount and currency is expected";
    let line = "an object with ticket_type_id, quantity, seat_numbers and pricing_category is expected";
    for (message, expected) in [
        (refusal::<CreateTicketTypeRequest>(r#"{"price":5}"#), format!("price is 5; {object}")),
        (refusal::<CreateTicketTypeRequest>(r#"{"price":"12.50"}"#), format!("price is a text; {object}")),
        (
            refusal::<CreateTicketTypeRequest>(r#"{"price":{"amount":1.5}}"#),
            format!("price.amount is 1.5; a whole number from {} to {} is expected", i64::MIN, i64::MAX),
        ),
        (
            refusal::<CreateTicketTypeRequest>(r#"{"metadata":{"a":1}}"#),
            "metadata.a is 1; a text is expected".into(),
        ),
        (
            refusal::<CreateTicketTypeRequest>(r#"{"metadata":{"a":null}}"#),
            "metadata.a is null; a text is expected".into(),
        ),
        (
            refusal::<CreateTicketTypeRequest>(r#"{"pools":"a"}"#),
            "pools is a text; a list is expected".into(),
        ),
        (
            refusal::<CreateTicketTypeRequest>(r#"{"valid_from":"soon"}"#),
            format!("valid_from {}", tessera_proto::json::INVALID_TIME),
        ),
        (refusal::<ReserveTicketsRequest>(r#"{"quantity":"two"}"#), format!("quantity is a text; {integer}")),
        (
            refusal::<ReserveTicketsRequest>(r#"{"quantity":99999999999}"#),
            format!("quantity is 99999999999; {integer}"),
        ),
        (
            refusal::<ReserveTicketsRequest>(r#"{"lines":[{},{"quantity":true}]}"#),
            format!("lines[1].quantity is true; {integer}"),
        ),
        (refusal::<ReserveTicketsRequest>(r#"{"lines":[7]}"#), format!("lines[0] is 7; {line}")),
        (
            refusal::<ReserveTicketsRequest>(r#"{"lines":[{"seat":"A1"}]}"#),
            "lines[0].seat is not known here; one of ticket_type_id, quantity, seat_numbers, pricing_category is \
             expected"
                .into(),
        ),
        (
            refusal::<ReserveTicketsRequest>(r#"{"user_id":"a","userId":"b"}"#),
            "user_id is given twice".into(),
        ),
        (
            refusal::<UpdateEventRequest>(r#"{"featured":"yes"}"#),
            "featured is a text; true or false is expected".into(),
        ),
        (
            part::<ReserveTicketsRequest>("command", &serde_json::json!({"lines": [[]]}))
                .unwrap_err()
                .message()
                .to_owned(),
            format!("command.lines[0] is a list; {line}"),
        ),
        (
            refusal::<UpdateEventRequest>(r#"{"title":"#),
            "body is not JSON: EOF while parsing a value at line 1 column 9".into(),
        ),
        (refusal::<UpdateEventRequest>("[]"), "body must be a JSON object: {…}".into()),
    ] {
        assert_eq!(message, expected);
    }
}

#[test]
fn oversized_bodies_are_refused() {
    let body = format!(r#"{{"pools":[{}"a"]}}"#, r#""a","#.repeat(100_000));
    assert!(
        refusal::<CreateTicketTypeRequest>(&body).starts_with("body is not JSON: more than 100000 values")
    );
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(refusal::<CreateTicketTypeRequest>(&nested).starts_with("body is not JSON"));
}

#[test]
fn camel_case_and_null_are_accepted() {
    let body = br#"{"eventId":"e","seatNumbers":["A1"],"lines":null,"timeoutSeconds":5}"#;
    let request: ReserveTicketsRequest = json(body).unwrap();
    assert_eq!((request.event_id.as_str(), request.timeout_seconds), ("e", 5));
    assert_eq!(request.seat_numbers, ["A1"]);
}

#[test]
fn query_parameters_become_fields() {
    let read = |text: &str| -> Result<ListVenuesRequest> {
        let uri = format!("/v1/venues?{text}").parse().unwrap();
        message(query(&uri)?, &[], MaskRule::Absent, "query")
    };
    let request = read("pageSize=7&filter=city:Berlin%20x").unwrap();
    assert_eq!((request.page_size, request.filter.as_str()), (7, "city:Berlin x"));
    for (text, expected) in [
        ("page_size=many", "page_size is a text; a whole number from -2147483648 to 2147483647 is expected"),
        ("size=1", "size is not known here; one of page_size, page_token, filter, order_by is expected"),
        ("filter=a&filter=b", "filter is a list; a text is expected"),
    ] {
        assert_eq!(read(text).unwrap_err().message(), expected);
    }
}

#[test]
fn queries_have_a_bounded_number_of_parameters() {
    let of = |count: usize| query(&format!("/v1/venues?{}", "a&".repeat(count)).parse().unwrap());
    assert!(of(100).is_ok());
    assert_eq!(of(101).unwrap_err().message(), "query has more than 100 parameters");
}

fn patched<T: DeserializeOwned>(text: &str, mask: MaskRule, path: &str) -> Result<T> {
    message(body(text.as_bytes())?, &[(path, "7")], mask, "body")
}

#[test]
fn members_of_a_merge_patch_become_the_mask() {
    let members = MaskRule::Members(None);
    let request: UpdateVenueRequest =
        patched(r#"{"postalCode":"1","state":null}"#, members, "venue_id").unwrap();
    assert_eq!((request.venue_id.as_str(), request.postal_code.as_str()), ("7", "1"));
    assert_eq!(request.update_mask.unwrap().paths, ["postal_code", "state"]);
    let empty: UpdateVenueRequest = patched("{}", members, "venue_id").unwrap();
    assert_eq!(empty.update_mask.unwrap().paths, Vec::<String>::new());
    let expanded = MaskRule::Members(Some("fields"));
    let request: UpdateIssueRequest =
        patched(r#"{"status":"NEW","fields":{"a":null,"b":1}}"#, expanded, "issue_id").unwrap();
    assert_eq!(request.update_mask.unwrap().paths, ["status", "fields.a", "fields.b"]);
    assert_eq!((request.status, request.status_name.as_str()), (0, "NEW"));
}

#[test]
fn replacement_mask_has_every_writable_field() {
    let request: UpdateIssueRequest = patched(r#"{"summary":"s"}"#, MaskRule::Every, "issue_id").unwrap();
    let paths = request.update_mask.unwrap().paths;
    for path in
        ["summary", "description", "status", "resolution", "type", "priority", "assignee_id", "fields"]
    {
        assert!(paths.iter().any(|masked| masked == path), "{path}");
    }
    assert_eq!(paths.len(), 8);
}

#[test]
fn path_parameters_tags_and_masks_are_refused_in_bodies() {
    for (text, field) in [
        (r#"{"venue_id":"8"}"#, "venue_id"),
        (r#"{"venueId":"7"}"#, "venue_id"),
        (r#"{"etag":"1"}"#, "etag"),
        (r#"{"update_mask":["name"]}"#, "update_mask"),
        (r#"{"updateMask":"name"}"#, "update_mask"),
    ] {
        let error = patched::<UpdateVenueRequest>(text, MaskRule::Members(None), "venue_id").unwrap_err();
        assert_eq!(error.faults()[0].field, field);
    }
}
