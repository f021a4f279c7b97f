class SecurityContext:
    __DEFER_STEP_ERRORS__: bool
