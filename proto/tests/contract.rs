//! What the protos promise: numbers that clients rely on, and a comment on everything.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(tessera_proto::FILE_DESCRIPTOR_SET).unwrap();
    set.file.into_iter().filter(|file| !file.package().starts_with("google.")).collect()
}

/// `package.Message: number name, …` of the shapes that clients of the seeds know.
const SEED: &[(&str, &[(i32, &str)])] = &[
    ("user.v1.User", &[(1, "user_id"), (2, "first_name"), (3, "last_name"), (4, "email_address")]),
    ("user.v1.CreateUserRequest", &[(1, "first_name"), (2, "last_name"), (3, "email_address")]),
    (
        "user.v1.UpdateUserRequest",
        &[(1, "user_id"), (2, "first_name"), (3, "last_name"), (4, "email_address")],
    ),
    ("user.v1.GetUserRequest", &[(1, "user_id")]),
    ("user.v1.DeleteUserRequest", &[(1, "user_id")]),
    ("user.v1.DeleteUserResponse", &[(1, "user")]),
    ("user.v1.ListUsersRequest", &[(1, "page_size"), (2, "page_token")]),
    ("user.v1.ListUsersResponse", &[(1, "users"), (2, "next_page_token")]),
    ("user.v2.User", &[(5, "is_active"), (6, "created_at"), (7, "updated_at")]),
    ("user.v2.BulkCreateUsersRequest", &[(1, "users")]),
    ("user.v2.DeactivateUserRequest", &[(1, "user_id")]),
    ("user.v2.SearchUsersRequest", &[(1, "query"), (2, "page_size"), (3, "page_token")]),
    ("project.v1.Project", &[(1, "project_id"), (2, "name"), (3, "description"), (4, "issue_count")]),
    ("project.v1.CreateProjectRequest", &[(1, "name"), (2, "description")]),
    ("project.v1.UpdateProjectRequest", &[(1, "project_id"), (2, "name"), (3, "description")]),
    ("project.v1.ListProjectsResponse", &[(1, "projects")]),
    ("project.v1.UpdateProjectWithIssueRequest", &[(1, "project_id"), (2, "issue_id")]),
    ("project.v1.UpdateProjectWithIssueResponse", &[(1, "project_id"), (2, "issue_count"), (3, "message")]),
    ("project.v1.StreamProjectUpdatesRequest", &[(1, "project_id"), (2, "action")]),
    ("project.v1.StreamProjectUpdatesResponse", &[(1, "project_id"), (2, "issue_count"), (4, "message")]),
    (
        "issues.v1.Issue",
        &[
            (1, "issue_id"),
            (2, "summary"),
            (3, "description"),
            (4, "status"),
            (5, "resolution"),
            (6, "type"),
            (7, "priority"),
            (8, "project_id"),
            (9, "assignee_id"),
            (10, "create_date"),
            (11, "modify_date"),
        ],
    ),
    (
        "issues.v1.CreateIssueRequest",
        &[
            (1, "summary"),
            (2, "description"),
            (3, "type"),
            (4, "priority"),
            (5, "project_id"),
            (6, "assignee_id"),
        ],
    ),
    (
        "issues.v1.UpdateIssueRequest",
        &[
            (1, "issue_id"),
            (2, "summary"),
            (3, "description"),
            (4, "status"),
            (5, "resolution"),
            (6, "type"),
            (7, "priority"),
            (8, "assignee_id"),
        ],
    ),
    ("issues.v1.CreateIssueResponse", &[(1, "message"), (2, "issue")]),
    ("issues.v1.UpdateIssueResponse", &[(1, "message"), (2, "issue")]),
    ("issues.v1.DeleteIssueResponse", &[(1, "message"), (2, "issue")]),
    ("issues.v1.GetIssueRequest", &[(1, "issue_id"), (2, "include_details")]),
    ("issues.v1.GetIssueResponse", &[(1, "issue"), (2, "project_info"), (3, "user_info")]),
    ("issues.v1.ListIssuesRequest", &[(1, "page_size"), (2, "page_token")]),
    ("issues.v1.ListIssuesResponse", &[(1, "issues"), (2, "next_page_token")]),
];

#[test]
fn the_shapes_of_the_seed_keep_their_numbers_and_additions_begin_at_100() {
    let files = files();
    for (name, fields) in SEED {
        let message = files
            .iter()
            .flat_map(|file| {
                file.message_type.iter().map(move |m| (format!("{}.{}", file.package(), m.name()), m))
            })
            .find(|(full, _)| full == name)
            .unwrap_or_else(|| panic!("{name} is missing"))
            .1;
        for (number, field) in *fields {
            let descriptor = message.field.iter().find(|descriptor| descriptor.number() == *number);
            assert_eq!(descriptor.map(|descriptor| descriptor.name()), Some(*field), "{name} = {number}");
        }
        let whole = !matches!(*name, "user.v2.User");
        let seed_numbers: BTreeSet<_> = fields.iter().map(|(number, _)| *number).collect();
        for field in message.field.iter().filter(|_| whole) {
            assert!(
                seed_numbers.contains(&field.number()) || field.number() >= 100,
                "{name}.{}",
                field.name()
            );
        }
    }
}

#[test]
fn every_service_method_message_field_and_value_has_a_comment() {
    for file in files() {
        let commented_paths: BTreeSet<Vec<i32>> = file
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .filter(|location| !location.leading_comments().trim().is_empty())
            .map(|location| location.path.clone())
            .collect();
        let mut uncommented = Vec::new();
        let mut check = |path: Vec<i32>, name: String| {
            if !commented_paths.contains(&path) {
                uncommented.push(name);
            }
        };
        for (m, message) in (0..).zip(&file.message_type) {
            if message.options.as_ref().is_some_and(|options| options.map_entry()) {
                continue;
            }
            check(vec![4, m], message.name().to_owned());
            for (f, field) in (0..).zip(&message.field) {
                check(vec![4, m, 2, f], format!("{}.{}", message.name(), field.name()));
            }
        }
        for (e, values) in (0..).zip(&file.enum_type) {
            check(vec![5, e], values.name().to_owned());
            for (v, value) in (0..).zip(&values.value) {
                check(vec![5, e, 2, v], format!("{}.{}", values.name(), value.name()));
            }
        }
        for (s, service) in (0..).zip(&file.service) {
            check(vec![6, s], service.name().to_owned());
            for (r, rpc) in (0..).zip(&service.method) {
                check(vec![6, s, 2, r], format!("{}.{}", service.name(), rpc.name()));
            }
        }
        assert!(uncommented.is_empty(), "{}: no comment on {uncommented:?}", file.name());
    }
}
