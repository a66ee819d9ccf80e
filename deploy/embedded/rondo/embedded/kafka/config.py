"""The configuration of the broker. It is small and fast, with the limits and guarantees of production."""

from pathlib import Path

# The largest message of the contracts fits. As in production, the broker refuses larger messages.
MESSAGE_MAX_BYTES = 8 << 20


def server_properties(bootstrap: str, controller: str, data: Path) -> str:
    """Return `server.properties` for a broker on `bootstrap` that is its own controller on `controller`."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{bootstrap},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{bootstrap}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "message.max.bytes": MESSAGE_MAX_BYTES,
        "replica.fetch.max.bytes": MESSAGE_MAX_BYTES,
        # A consumer group starts at once, without waiting for more members.
        "group.initial.rebalance.delay.ms": 0,
        # After a crash the broker can only register again when its previous session has expired.
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 3_000,
        **_ALONE,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


# A single node has no replication. Few partitions suffice for internal topics, because each costs files and time.
_ALONE = {
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 5,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 5,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
}


def logger_properties(log: Path) -> str:
    """Return the Log4j configuration that writes warnings and errors to `log`."""
    return f"""\
status=error
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
appender.file.type=File
appender.file.name=file
appender.file.fileName={log}
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{{ISO8601}} %p %m (%c)%n%throwable{{short.message}}
"""
