//! What a command was answered, as it is recorded for its idempotency key.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tessera_core::changeset::Answer;
use tessera_core::id::{CommentId, IssueId, KeyId, ProjectId, TenantId, UserId};
use tessera_core::outbox::Actor;
use tessera_core::tenancy::{ApiKey, Tenant};
use tessera_core::tracker::{Comment, Issue, Link, Project, Relation, User};
use tessera_core::{Result, Timestamp};

use super::{BookingForm, QueueForm, TenantHoldsForm, booking, booking_form, queue, queue_form};
use super::{
    CheckInForm, SigningKeyForm, TicketForm, check_in, check_in_form, signing_key, signing_key_form, ticket,
    ticket_form,
};
use super::{
    EventForm, LockForm, PoolForm, ReservationForm, SeriesForm, TicketTypeForm, VenueForm, event, event_form,
    lock, lock_form, pool, pool_form, reservation, reservation_form, series, series_form, ticket_type,
    ticket_type_form, venue, venue_form,
};
use super::{FieldsForm, InstallationForm, LimitsForm, ReleaseForm, SchemeForm, TimerForm};
use super::{corrupt, fields, fields_form, installation, installation_form, limits, limits_form, moment};
use super::{release, release_form, roles, roles_form, scheme, scheme_form, tenant_state};
use super::{tenant_holds, tenant_holds_form, timer, timer_form};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "a form lives as long as its row is read or written")]
pub(crate) enum AnswerForm {
    Done,
    Tenant(TenantForm),
    Key(KeyForm),
    User(UserForm),
    Users(Vec<UserForm>),
    Project(ProjectForm),
    Issue(IssueForm),
    Comment(CommentForm),
    Link(LinkForm),
    Release(ReleaseForm),
    Installation(InstallationForm),
    Timers(Vec<TimerForm>),
    Venue(VenueForm),
    Series(SeriesForm),
    Event(EventForm),
    TicketType(TicketTypeForm),
    Pool(PoolForm),
    Lock(LockForm),
    Reservation(ReservationForm),
    Ticket(TicketForm),
    CheckIn(CheckInForm),
    SigningKey(SigningKeyForm),
    Queue(QueueForm),
    Booking(BookingForm),
    TenantHolds(TenantHoldsForm),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TenantForm {
    id: String,
    slug: String,
    name: String,
    state: String,
    /// Answers that were recorded before there were plugins have none.
    #[serde(default)]
    plugin_limits: LimitsForm,
    created_at: i64,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct KeyForm {
    id: String,
    tenant: String,
    name: String,
    roles: Vec<String>,
    user: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct UserForm {
    id: String,
    first_name: String,
    last_name: String,
    email: String,
    is_active: bool,
    created_at: i64,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ProjectForm {
    id: String,
    name: String,
    description: String,
    scheme: Option<SchemeForm>,
    #[serde(default)]
    machines: u64,
    issue_count: u64,
    created_at: i64,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct IssueForm {
    id: String,
    project: String,
    kind: String,
    summary: String,
    description: Option<String>,
    status: String,
    resolution: Option<String>,
    issue_type: String,
    priority: String,
    assignee: Option<String>,
    reporter: Option<String>,
    parent: Option<String>,
    labels: Vec<String>,
    fields: FieldsForm,
    created_at: i64,
    modified_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CommentForm {
    id: String,
    issue: String,
    author_kind: String,
    author_id: String,
    author_user: Option<String>,
    body: String,
    created_at: i64,
    edited_at: Option<i64>,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct LinkForm {
    issue: String,
    relation: String,
    other: String,
    created_at: i64,
}

pub(crate) fn answer_form(answer: &Answer) -> AnswerForm {
    match answer {
        Answer::Done => AnswerForm::Done,
        Answer::Tenant(tenant) => AnswerForm::Tenant(tenant_form(tenant)),
        Answer::Key(key) => AnswerForm::Key(key_form(key)),
        Answer::User(user) => AnswerForm::User(user_form(user)),
        Answer::Users(users) => AnswerForm::Users(users.iter().map(user_form).collect()),
        Answer::Project(project) => AnswerForm::Project(project_form(project)),
        Answer::Issue(issue) => AnswerForm::Issue(issue_form(issue)),
        Answer::Comment(comment) => AnswerForm::Comment(comment_form(comment)),
        Answer::Link(link) => AnswerForm::Link(link_form(link)),
        Answer::Release(release) => AnswerForm::Release(release_form(release)),
        Answer::Installation(held) => AnswerForm::Installation(installation_form(held)),
        Answer::Timers(held) => AnswerForm::Timers(held.iter().map(timer_form).collect()),
        Answer::Venue(held) => AnswerForm::Venue(venue_form(held)),
        Answer::Series(held) => AnswerForm::Series(series_form(held)),
        Answer::Event(held) => AnswerForm::Event(event_form(held)),
        Answer::TicketType(held) => AnswerForm::TicketType(ticket_type_form(held)),
        Answer::Pool(held) => AnswerForm::Pool(pool_form(held)),
        Answer::Lock(held) => AnswerForm::Lock(lock_form(held)),
        Answer::Reservation(held) => AnswerForm::Reservation(reservation_form(held)),
        Answer::Ticket(held) => AnswerForm::Ticket(ticket_form(held)),
        Answer::CheckIn(held) => AnswerForm::CheckIn(check_in_form(held)),
        Answer::SigningKey(key) => AnswerForm::SigningKey(signing_key_form(key)),
        Answer::Queue(held) => AnswerForm::Queue(queue_form(held)),
        Answer::Booking(held) => AnswerForm::Booking(booking_form(held)),
        Answer::TenantHolds(held) => AnswerForm::TenantHolds(tenant_holds_form(held)),
    }
}

pub(crate) fn answer(form: AnswerForm) -> Result<Answer> {
    Ok(match form {
        AnswerForm::Done => Answer::Done,
        AnswerForm::Tenant(form) => Answer::Tenant(tenant(form)?),
        AnswerForm::Key(form) => Answer::Key(key(form)?),
        AnswerForm::User(form) => Answer::User(user(form)?),
        AnswerForm::Users(forms) => Answer::Users(forms.into_iter().map(user).collect::<Result<_>>()?),
        AnswerForm::Project(form) => Answer::Project(project(form)?),
        AnswerForm::Issue(form) => Answer::Issue(issue(form)?),
        AnswerForm::Comment(form) => Answer::Comment(comment(form)?),
        AnswerForm::Link(form) => Answer::Link(link(&form)?),
        AnswerForm::Release(form) => Answer::Release(release(form)?),
        AnswerForm::Installation(form) => Answer::Installation(installation(form)?),
        AnswerForm::Timers(forms) => Answer::Timers(forms.into_iter().map(timer).collect::<Result<_>>()?),
        AnswerForm::Venue(form) => Answer::Venue(venue(form)?),
        AnswerForm::Series(form) => Answer::Series(series(form)?),
        AnswerForm::Event(form) => Answer::Event(event(form)?),
        AnswerForm::TicketType(form) => Answer::TicketType(ticket_type(form)?),
        AnswerForm::Pool(form) => Answer::Pool(pool(form)?),
        AnswerForm::Lock(form) => Answer::Lock(lock(form)?),
        AnswerForm::Reservation(form) => Answer::Reservation(reservation(form)?),
        AnswerForm::Ticket(form) => Answer::Ticket(ticket(form)?),
        AnswerForm::CheckIn(form) => Answer::CheckIn(check_in(form)?),
        AnswerForm::SigningKey(form) => Answer::SigningKey(signing_key(form)?),
        AnswerForm::Queue(form) => Answer::Queue(queue(&form)?),
        AnswerForm::Booking(form) => Answer::Booking(booking(form)?),
        AnswerForm::TenantHolds(form) => Answer::TenantHolds(tenant_holds(&form)?),
    })
}

fn tenant_form(tenant: &Tenant) -> TenantForm {
    TenantForm {
        id: tenant.id.to_string(),
        slug: tenant.slug.clone(),
        name: tenant.name.clone(),
        state: tenant.state.name().to_owned(),
        plugin_limits: limits_form(&tenant.plugin_limits),
        created_at: tenant.created_at.micros(),
        updated_at: tenant.updated_at.micros(),
        version: tenant.version,
    }
}

fn tenant(form: TenantForm) -> Result<Tenant> {
    Ok(Tenant {
        id: TenantId::parse("id", &form.id)?,
        slug: form.slug,
        name: form.name,
        state: tenant_state(&form.state)?,
        plugin_limits: limits(&form.plugin_limits),
        created_at: moment(form.created_at)?,
        updated_at: moment(form.updated_at)?,
        version: form.version,
    })
}

fn key_form(key: &ApiKey) -> KeyForm {
    KeyForm {
        id: key.id.to_string(),
        tenant: key.tenant.to_string(),
        name: key.name.clone(),
        roles: roles_form(&key.roles),
        user: key.user.map(|user| user.to_string()),
        created_at: key.created_at.micros(),
        expires_at: key.expires_at.map(Timestamp::micros),
        revoked_at: key.revoked_at.map(Timestamp::micros),
        version: key.version,
    }
}

fn key(form: KeyForm) -> Result<ApiKey> {
    Ok(ApiKey {
        id: KeyId::parse("id", &form.id)?,
        tenant: TenantId::parse("tenant", &form.tenant)?,
        name: form.name,
        roles: roles(&form.roles)?,
        user: user_id(form.user.as_deref())?,
        created_at: moment(form.created_at)?,
        expires_at: form.expires_at.map(moment).transpose()?,
        revoked_at: form.revoked_at.map(moment).transpose()?,
        version: form.version,
    })
}

fn user_form(user: &User) -> UserForm {
    UserForm {
        id: user.id.to_string(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        email: user.email.clone(),
        is_active: user.is_active,
        created_at: user.created_at.micros(),
        updated_at: user.updated_at.micros(),
        version: user.version,
    }
}

fn user(form: UserForm) -> Result<User> {
    Ok(User {
        id: UserId::parse("id", &form.id)?,
        first_name: form.first_name,
        last_name: form.last_name,
        email: form.email,
        is_active: form.is_active,
        created_at: moment(form.created_at)?,
        updated_at: moment(form.updated_at)?,
        version: form.version,
    })
}

fn user_id(text: Option<&str>) -> Result<Option<UserId>> {
    text.map(|text| UserId::parse("user", text)).transpose()
}

fn project_form(project: &Project) -> ProjectForm {
    ProjectForm {
        id: project.id.to_string(),
        name: project.name.clone(),
        description: project.description.clone(),
        scheme: project.scheme.as_deref().map(scheme_form),
        machines: project.machines,
        issue_count: project.issue_count,
        created_at: project.created_at.micros(),
        updated_at: project.updated_at.micros(),
        version: project.version,
    }
}

fn project(form: ProjectForm) -> Result<Project> {
    Ok(Project {
        id: ProjectId::parse("id", &form.id)?,
        name: form.name,
        description: form.description,
        scheme: form.scheme.map(scheme).transpose()?.map(Arc::new),
        machines: form.machines,
        issue_count: form.issue_count,
        created_at: moment(form.created_at)?,
        updated_at: moment(form.updated_at)?,
        version: form.version,
    })
}

fn issue_form(issue: &Issue) -> IssueForm {
    IssueForm {
        id: issue.id.to_string(),
        project: issue.project.to_string(),
        kind: issue.kind.clone(),
        summary: issue.summary.clone(),
        description: issue.description.clone(),
        status: issue.status.clone(),
        resolution: issue.resolution.clone(),
        issue_type: issue.issue_type.clone(),
        priority: issue.priority.clone(),
        assignee: issue.assignee.map(|user| user.to_string()),
        reporter: issue.reporter.map(|user| user.to_string()),
        parent: issue.parent.map(|issue| issue.to_string()),
        labels: issue.labels.iter().cloned().collect(),
        fields: fields_form(&issue.fields),
        created_at: issue.created_at.micros(),
        modified_at: issue.modified_at.micros(),
        version: issue.version,
    }
}

fn issue(form: IssueForm) -> Result<Issue> {
    Ok(Issue {
        id: IssueId::parse("id", &form.id)?,
        project: ProjectId::parse("project", &form.project)?,
        kind: form.kind,
        summary: form.summary,
        description: form.description,
        status: form.status,
        resolution: form.resolution,
        issue_type: form.issue_type,
        priority: form.priority,
        assignee: user_id(form.assignee.as_deref())?,
        reporter: user_id(form.reporter.as_deref())?,
        parent: form.parent.map(|text| IssueId::parse("parent", &text)).transpose()?,
        labels: form.labels.into_iter().collect(),
        fields: fields(form.fields)?,
        created_at: moment(form.created_at)?,
        modified_at: moment(form.modified_at)?,
        version: form.version,
    })
}

fn comment_form(comment: &Comment) -> CommentForm {
    CommentForm {
        id: comment.id.to_string(),
        issue: comment.issue.to_string(),
        author_kind: comment.author.kind.to_string(),
        author_id: comment.author.id.clone(),
        author_user: comment.author.user.map(|user| user.to_string()),
        body: comment.body.clone(),
        created_at: comment.created_at.micros(),
        edited_at: comment.edited_at.map(Timestamp::micros),
        version: comment.version,
    }
}

fn comment(form: CommentForm) -> Result<Comment> {
    Ok(Comment {
        id: CommentId::parse("id", &form.id)?,
        issue: IssueId::parse("issue", &form.issue)?,
        author: Actor {
            kind: form.author_kind.into(),
            id: form.author_id,
            user: user_id(form.author_user.as_deref())?,
        },
        body: form.body,
        created_at: moment(form.created_at)?,
        edited_at: form.edited_at.map(moment).transpose()?,
        version: form.version,
    })
}

fn link_form(link: &Link) -> LinkForm {
    LinkForm {
        issue: link.issue.to_string(),
        relation: link.relation.name().to_owned(),
        other: link.other.to_string(),
        created_at: link.created_at.micros(),
    }
}

fn link(form: &LinkForm) -> Result<Link> {
    let relation = Relation::named(&form.relation).ok_or_else(|| corrupt("a relation", &form.relation))?;
    Ok(Link {
        issue: IssueId::parse("issue", &form.issue)?,
        relation,
        other: IssueId::parse("other", &form.other)?,
        created_at: moment(form.created_at)?,
    })
}
