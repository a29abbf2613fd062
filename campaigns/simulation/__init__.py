"""A deterministic simulation of the whole stack: the real functions, simulated AWS services, and injected faults.

A case (`case`, `case_generator`, `message_kinds`) is all the data that determines one run. `simulator` composes the
run: `scheduler` interleaves its actors (`lanes`, `stream_workers`), `fault_injector` breaks their AWS calls
(`aws_services`, `import_service`, `table`), and `invariants` checks the promises against the `oracle`. `shrink` reduces
and describes a failing case.

`planted_bugs` are design bugs that cases must find. `exhaustive` explores small scopes completely, `outages` last for
days, and `differential` compares the in-memory table with other implementations of DynamoDB.
"""
