//! Sizes of requests and replies, before they are lowered into a guest or after they were lifted out.

use tessera_core::plugin::{Action, CallContext, Effect, Entity, PluginRequest, Refusal, Reply};
use tessera_core::{Change, Field};

/// Bytes that each part counts beside its text.
const OVERHEAD: usize = 16;

fn texts(texts: &[String]) -> usize {
    texts.iter().map(|text| text.len() + OVERHEAD).sum()
}

fn fields(fields: &[Field]) -> usize {
    fields.iter().map(|field| field.name.len() + field.value.size() + OVERHEAD).sum()
}

fn entity(entity: &Entity) -> usize {
    entity.kind.len() + entity.id.len() + fields(&entity.fields) + OVERHEAD
}

fn changes(changes: &[Change]) -> usize {
    let size = |change: &Change| change.field.len() + change.before.size() + change.after.size() + OVERHEAD;
    changes.iter().map(size).sum()
}

fn context(context: &CallContext) -> usize {
    context.tenant.len()
        + context.invocation.len()
        + context.actor.len()
        + texts(&context.roles)
        + texts(&context.cause)
        + fields(&context.attributes)
        + OVERHEAD
}

/// Returns the size of a request, without the settings.
pub(crate) fn of_request(request: &PluginRequest) -> usize {
    match request {
        PluginRequest::Describe => 0,
        PluginRequest::DescribeMachine(kind) | PluginRequest::DescribeCommands(kind) => kind.len(),
        PluginRequest::Validate(call, request) => {
            context(call)
                + request.operation.len()
                + entity(&request.subject)
                + request.before.as_ref().map_or(0, entity)
                + changes(&request.changes)
        }
        PluginRequest::Guard(call, issue, transitions) => context(call) + entity(issue) + texts(transitions),
        PluginRequest::OnChange(call, issue, before, changed) => {
            context(call) + entity(issue) + before.as_ref().map_or(0, entity) + changes(changed)
        }
        PluginRequest::OnTimer(call, issue, timer) => context(call) + entity(issue) + timer.len(),
        PluginRequest::OnCommand(call, issue, command, input) => {
            context(call) + entity(issue) + command.len() + fields(input)
        }
        PluginRequest::Quote(call, basket) => {
            let lines = basket.lines.iter();
            let lines: usize = lines
                .map(|line| {
                    line.ticket_type.len() + line.name.len() + fields(&line.attributes) + 2 * OVERHEAD
                })
                .sum();
            let applied = basket.applied.iter();
            let applied: usize = applied
                .map(|(source, adjustment)| {
                    source.len() + adjustment.label.len() + fields(&adjustment.attributes) + OVERHEAD
                })
                .sum();
            context(call)
                + fields(&basket.event)
                + lines
                + texts(&basket.codes)
                + fields(&basket.buyer)
                + applied
        }
    }
}

fn refusals(refusals: &[Refusal]) -> usize {
    let size = |refusal: &Refusal| {
        refusal.field.as_ref().map_or(0, String::len) + refusal.code.len() + refusal.message.len() + OVERHEAD
    };
    refusals.iter().map(size).sum()
}

fn effect(effect: &Effect) -> usize {
    let action = match &effect.action {
        Action::SetField(field) | Action::Other(field) => field.name.len() + field.value.size(),
        Action::Transition(text)
        | Action::Comment(text)
        | Action::AddLabel(text)
        | Action::RemoveLabel(text)
        | Action::CancelTimer(text)
        | Action::SetTimer(text, _) => text.len(),
        Action::Assign(user) => user.as_ref().map_or(0, String::len),
        Action::Link(name, text) | Action::Emit(name, text) => name.len() + text.len(),
        Action::Create(draft) => draft.key.len() + fields(&draft.fields),
        Action::Notify(notice) => texts(&notice.to) + notice.subject.len() + notice.body.len(),
    };
    action + effect.on.as_ref().map_or(0, String::len) + OVERHEAD
}

/// Returns the size of a reply.
pub(crate) fn of_reply(reply: &Reply) -> usize {
    match reply {
        Reply::Manifest(manifest) => {
            manifest.summary.len()
                + manifest.settings_schema.len()
                + texts(&manifest.kinds)
                + texts(&manifest.needs)
                + fields(&manifest.attributes)
        }
        Reply::Verdict(reasons) | Reply::Effects(Err(reasons)) | Reply::Quote(Err(reasons)) => {
            refusals(reasons)
        }
        Reply::Guard(results) => results.iter().map(|reasons| refusals(reasons) + OVERHEAD).sum(),
        Reply::Machine(None) => 0,
        Reply::Machine(Some(machine)) => {
            let states = machine.states.iter();
            let states: usize =
                states.map(|state| state.name.len() + fields(&state.attributes) + OVERHEAD).sum();
            let transitions = machine.transitions.iter();
            let transitions: usize = transitions
                .map(|transition| {
                    transition.name.len()
                        + transition.to.len()
                        + texts(&transition.from)
                        + texts(&transition.requires)
                        + fields(&transition.attributes)
                        + OVERHEAD
                })
                .sum();
            states + transitions
        }
        Reply::Commands(commands) => commands
            .iter()
            .map(|command| {
                command.name.len()
                    + command.title.len()
                    + texts(&command.states)
                    + command.input_schema.len()
                    + OVERHEAD
            })
            .sum(),
        Reply::Effects(Ok(effects)) => effects.iter().map(effect).sum(),
        Reply::Quote(Ok(decision)) => {
            let adjustments = decision.adjustments.iter();
            let adjustments: usize =
                adjustments.map(|each| each.label.len() + fields(&each.attributes) + 2 * OVERHEAD).sum();
            let codes: usize = decision
                .refused_codes
                .iter()
                .map(|(code, reason)| code.len() + reason.len() + OVERHEAD)
                .sum();
            adjustments + codes + fields(&decision.attributes)
        }
    }
}
