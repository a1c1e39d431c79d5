"""Questions put to a metadata store; pure: MLMD alone, none of TFX's component machinery."""
