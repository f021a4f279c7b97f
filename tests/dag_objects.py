"""DAG objects made by hand, for tests of what decides on them."""

from __future__ import annotations

from starover.steps.dag import Node
from starover.steps.dag_object import ClusterView, DagObject, Resource

SHARE = "\\\\FSW3.example.com\\DAG1.example.com"


def nodes(*names: str, **states: str) -> tuple[Node, ...]:
    """Nodes that are up but for those whose state is given; who is not up has no vote."""
    return tuple(
        Node(
            name=name,
            state=states.get(name, "Up"),
            information="Normal",
            weight=1,
            dynamic=1 if states.get(name, "Up") in ("Up", "Paused") else 0,
        )
        for name in names
    )


def cluster(*names: str, witness: str = "Online", share: str = SHARE, **states: str) -> ClusterView:
    """A cluster; with an even number of nodes it has a witness, unless `witness` is empty."""
    has = len(names) % 2 == 0 and bool(witness)
    made = nodes(*names, **states)
    weight = has and witness == "Online" and sum(node.dynamic for node in made) % 2 == 0
    file_share = Resource(name="File Share Witness", type="File Share Witness", state=witness, share=share)
    return ClusterView(
        name="DAG1",
        quorum_type="NodeAndFileShareMajority" if has else "NodeMajority",
        quorum_resource="File Share Witness" if has else "",
        witness_weight=int(weight),
        nodes=made,
        resources=(file_share,) if has else (),
    )


def dag(*members: str, **fields: object) -> DagObject:
    """A DAG in order with these members, in AD and in the cluster; without members an empty one."""
    even = bool(members) and len(members) % 2 == 0
    values: dict[str, object] = {
        "found": True,
        "members": tuple(f"example.com/Configuration/Servers/{name}" for name in members),
        "started": tuple(f"{name}.example.com" for name in members),
        "stopped": (),
        "operational": members,
        "witness_server": "FSW3.example.com",
        "witness_directory": "C:\\DAG1",
        "witness_share": "Primary" if even else "None",
        "alternate_server": "",
        "alternate_directory": "",
        "addresses": ("255.255.255.255",),
        "activation_mode": "Off",
        "active_manager": members[0] if members else "",
        "third_party": "Disabled",
        "manual_networks": False,
        "compression": "InterSubnetOnly",
        "encryption": "InterSubnetOnly",
        "replication_port": 64327,
        "others": (),
        "cluster": cluster(*members) if members else None,
        "cluster_error": "" if members else "the cluster service is not running",
    }
    return DagObject(**(values | fields))  # type: ignore[arg-type]


ABSENT = dag(
    found=False,
    witness_server="",
    witness_directory="",
    witness_share="",
    addresses=(),
    activation_mode="",
    third_party="",
    compression="",
    encryption="",
    replication_port=0,
)
"""No such DAG."""
