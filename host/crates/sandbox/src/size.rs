//! How much a question or an answer weighs, before it is lowered into a guest or after it was lifted out.

use tessera_core::plugin::{Action, Ask, CallContext, Effect, Entity, Refusal, Reply};
use tessera_core::{Change, Field};

/// What each thing weighs beside its text.
const EACH: usize = 16;

fn texts(texts: &[String]) -> usize {
    texts.iter().map(|text| text.len() + EACH).sum()
}

fn fields(fields: &[Field]) -> usize {
    fields.iter().map(|field| field.name.len() + field.value.size() + EACH).sum()
}

fn entity(entity: &Entity) -> usize {
    entity.kind.len() + entity.id.len() + fields(&entity.fields) + EACH
}

fn changes(changes: &[Change]) -> usize {
    changes.iter().map(|held| held.field.len() + held.before.size() + held.after.size() + EACH).sum()
}

fn context(context: &CallContext) -> usize {
    context.tenant.len()
        + context.invocation.len()
        + context.actor.len()
        + texts(&context.roles)
        + texts(&context.cause)
        + fields(&context.attributes)
        + EACH
}

/// What a question weighs, the settings not counted.
pub(crate) fn of_ask(ask: &Ask) -> usize {
    match ask {
        Ask::Describe => 0,
        Ask::DescribeMachine(kind) | Ask::DescribeCommands(kind) => kind.len(),
        Ask::Validate(held, request) => {
            context(held)
                + request.operation.len()
                + entity(&request.subject)
                + request.before.as_ref().map_or(0, entity)
                + changes(&request.changes)
        }
        Ask::Guard(held, issue, moves) => context(held) + entity(issue) + texts(moves),
        Ask::OnChange(held, issue, before, made) => {
            context(held) + entity(issue) + before.as_ref().map_or(0, entity) + changes(made)
        }
        Ask::OnTimer(held, issue, timer) => context(held) + entity(issue) + timer.len(),
        Ask::OnCommand(held, issue, command, input) => {
            context(held) + entity(issue) + command.len() + fields(input)
        }
        Ask::Quote(held, basket) => {
            let lines = basket.lines.iter();
            let lines: usize = lines
                .map(|line| line.ticket_type.len() + line.name.len() + fields(&line.attributes) + 2 * EACH)
                .sum();
            let applied = basket.applied.iter();
            let applied: usize = applied
                .map(|(source, held)| source.len() + held.label.len() + fields(&held.attributes) + EACH)
                .sum();
            context(held)
                + fields(&basket.event)
                + lines
                + texts(&basket.codes)
                + fields(&basket.buyer)
                + applied
        }
    }
}

fn refusals(refusals: &[Refusal]) -> usize {
    let each = |held: &Refusal| {
        held.field.as_ref().map_or(0, String::len) + held.code.len() + held.message.len() + EACH
    };
    refusals.iter().map(each).sum()
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
        Action::Link(one, other) | Action::Emit(one, other) => one.len() + other.len(),
        Action::Create(draft) => draft.key.len() + fields(&draft.fields),
        Action::Notify(notice) => texts(&notice.to) + notice.subject.len() + notice.body.len(),
    };
    action + effect.on.as_ref().map_or(0, String::len) + EACH
}

/// What an answer weighs.
pub(crate) fn of_reply(reply: &Reply) -> usize {
    match reply {
        Reply::Manifest(manifest) => {
            manifest.summary.len()
                + manifest.settings_schema.len()
                + texts(&manifest.kinds)
                + texts(&manifest.needs)
                + fields(&manifest.attributes)
        }
        Reply::Verdict(held) | Reply::Effects(Err(held)) | Reply::Quote(Err(held)) => refusals(held),
        Reply::Guard(answers) => answers.iter().map(|held| refusals(held) + EACH).sum(),
        Reply::Machine(None) => 0,
        Reply::Machine(Some(machine)) => {
            let states = machine.states.iter();
            let states: usize = states.map(|state| state.name.len() + fields(&state.attributes) + EACH).sum();
            let moves = machine.transitions.iter();
            let moves: usize = moves
                .map(|made| {
                    made.name.len()
                        + made.to.len()
                        + texts(&made.from)
                        + texts(&made.requires)
                        + fields(&made.attributes)
                        + EACH
                })
                .sum();
            states + moves
        }
        Reply::Commands(commands) => commands
            .iter()
            .map(|held| {
                held.name.len() + held.title.len() + texts(&held.states) + held.input_schema.len() + EACH
            })
            .sum(),
        Reply::Effects(Ok(effects)) => effects.iter().map(effect).sum(),
        Reply::Quote(Ok(decision)) => {
            let adjustments = decision.adjustments.iter();
            let adjustments: usize =
                adjustments.map(|held| held.label.len() + fields(&held.attributes) + 2 * EACH).sum();
            let codes: usize = decision.refused_codes.iter().map(|(a, b)| a.len() + b.len() + EACH).sum();
            adjustments + codes + fields(&decision.attributes)
        }
    }
}
