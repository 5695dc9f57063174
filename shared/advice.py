"""Advice that several messages give in the same words."""

CHECK_BOTH_ENDS = (
    "check URL, database number and --namespace of both programs; server-a check --peer-url tests whether what is "
    "written at one URL shows up at the other"
)
