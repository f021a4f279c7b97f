"""What a runbook's docstring says of its parameters."""

from starover.runbook import Steps, runbook


def test_what_is_said_of_a_parameter_may_go_on_below_it_and_is_no_part_of_the_rest() -> None:
    @runbook
    def spoken(first: int = 1, second: int = 2) -> Steps:
        """Say something.

        first: one thing, and
            more of it
        second: another

        What comes after.
        """
        yield from ()

    assert [one.help for one in spoken.parameters][:2] == ["one thing, and more of it", "another"]
    assert spoken.about == "Say something.\n\n\nWhat comes after."
