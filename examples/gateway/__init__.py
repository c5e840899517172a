"""The quickstart's gateway: sends a trace through a mesh of sidecars, as a serving gateway would.

Read `run.py` first. The arrows: run -> engine -> slot_pool, and run -> router_view; trace and chat
make the requests, tokens their tokens; launch starts the sidecars, converge compares them, report
prints what came of it.
"""
