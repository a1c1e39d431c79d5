"""Strategies of resolvers, which TFX imports by their class path."""

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.orchestration.portable.input_resolution import exceptions


class RefusingStrategy(ResolverStrategy):
    """Resolves nothing."""

    def resolve_artifacts(self, store, input_dict):
        """Raises what TFX takes for inputs that cannot be resolved."""
        raise exceptions.FailedPreconditionError("there is nothing to resolve")
