"""Labels issues that become critical, and sends a message to the admins. The command `escalate` does the same."""

from componentize_py_types import Ok
from wit_world import exports
from wit_world.exports import manifest, workflow
from wit_world.imports import types

from rule import became_critical


class Manifest(exports.Manifest):
    def describe(self) -> manifest.Info:
        return manifest.Info(
            name="{{name}}",
            version="0.1.0",
            summary="Describe the plugin in one line",
            settings_schema="",
            kinds=["issue"],
            needs=["issue:update", "notice:create"],
            attributes=[],
        )


class Workflow(exports.Workflow):
    def describe_machine(self, kind: str) -> workflow.Machine | None:
        # No machine: the plugin only reacts to changes.
        return None

    def describe_commands(self, kind: str) -> list[workflow.Command]:
        return [workflow.Command(name="escalate", title="Escalate", states=[], input_schema="")]

    def guard(self, context: types.Context, issue: types.Entity, transitions: list[str]):
        return [Ok(None) for _ in transitions]

    def on_change(
        self, context: types.Context, issue: types.Entity, before: types.Entity | None, changes: list[types.Change]
    ) -> list[workflow.Effect]:
        changed = [change.field for change in changes]
        return alert(issue) if became_critical(text(issue, "priority"), changed) else []

    def on_timer(self, context: types.Context, issue: types.Entity, timer: str) -> list[workflow.Effect]:
        return []

    def on_command(
        self, context: types.Context, issue: types.Entity, command: str, input: list[types.Field]
    ) -> list[workflow.Effect]:
        return alert(issue)


def alert(issue: types.Entity) -> list[workflow.Effect]:
    """Returns the effects on a critical issue."""
    notice = workflow.Notice(
        to=["role:admin"], subject=text(issue, "summary") or "An issue", body="The issue is critical."
    )
    actions = [workflow.Action_AddLabel("critical"), workflow.Action_Notify(notice)]
    return [workflow.Effect(on=None, action=action) for action in actions]


def text(entity: types.Entity, name: str) -> str | None:
    """Returns a field that is text, or None."""
    for field in entity.fields:
        if field.name == name and isinstance(field.value, types.Value_Text):
            return field.value.value
    return None
