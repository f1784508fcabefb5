"""Programs that `dev` mounts into pods: standard library only, never imported by the rest."""
