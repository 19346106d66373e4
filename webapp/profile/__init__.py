"""The profile: what everybody who is signed in settles for himself."""
