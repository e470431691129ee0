"""The server of a listening test: one process, the page, its stimuli, and one file of answers.

Whoever listens is known by a bearer token alone. No cookie exists, so that no other site can act
for a listener; nothing sent tells which condition a sound is, its bytes apart.
"""
