"""What performs the effects of the engine; each driver knows its own way to wait, to keep and to go on."""
