"""What has a tag."""

from __future__ import annotations


class Tagged:
    """Part of a dataflow that goes by a tag.

    Attributes:
        tag: as given.
    """

    tag: str

    @property
    def _tag(self) -> str:  # programs for the original library read it
        return self.tag
