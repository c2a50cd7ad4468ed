import ClusterCore
import Logging
import Transport

extension Notice {
    /// Writes one line with a fixed message and what it is about.
    func log(to logger: Logger) {
        let (level, message, metadata) = line
        logger.log(level: level, message, metadata: metadata)
    }

    private var line: (Logger.Level, Logger.Message, Logger.Metadata) {
        switch self {
        case .joined(let node, let hello):
            (
                .info, "worker joined",
                [
                    "node": "\(node)", "host": "\(hello.hostName)", "process": "\(hello.processID)",
                    "cpu": "\(hello.cpuModel)", "isa": "\(hello.instructionSet)", "threads": "\(hello.threadCount)",
                    "data": "\(hello.dataEndpoint)",
                ]
            )
        case .refused(let node, let reason):
            (.warning, "worker refused", ["node": "\(node)", "reason": "\(reason)"])
        case .suspected(let node, let silence):
            (.warning, "worker is silent", ["node": "\(node)", "seconds": "\(silence.plainSeconds)"])
        case .recovered(let node):
            (.info, "worker is heard of again", ["node": "\(node)"])
        case .lost(let node, let reason):
            (.warning, "worker lost", ["node": "\(node)", "reason": "\(reason)"])
        case .left(let node, let reason):
            (.info, "worker left", ["node": "\(node)", "reason": "\(reason)"])
        case .epochOpened(let pipeline, let replica):
            (
                .info, "epoch opened",
                [
                    "epoch": "\(pipeline.epoch.number)", "replica": "\(replica)", "stages": "\(pipeline.summary)",
                ]
            )
        case .stageReady(let node, let ready):
            (
                .info, "stage ready",
                [
                    "node": "\(node)", "weights_bytes": "\(ready.weightsByteCount)",
                    "kv_tokens": "\(ready.keyValueTokenCapacity)",
                ]
            )
        case .loadingFailed(let node, let reason):
            (.error, "worker could not load its part", ["node": "\(node)", "reason": "\(reason)"])
        case .serving(let pipeline, let outage, let interruptedRequestCount):
            (
                .notice, outage == nil ? "serving" : "service has resumed",
                ["epoch": "\(pipeline.epoch.number)", "stages": "\(pipeline.summary)"].merging(
                    outage.map {
                        [
                            "seconds": "\(($0.secondCount * 1000).rounded() / 1000)",
                            "rebuilt_requests": "\(interruptedRequestCount)",
                        ]
                    } ?? [:], uniquingKeysWith: { $1 })
            )
        case .epochEnded(let epoch, let node, let reason, let openRequestCount):
            (
                .warning, "epoch ended",
                [
                    "epoch": "\(epoch.number)", "node": "\(node?.name ?? "unknown")", "reason": "\(reason)",
                    "open_requests": "\(openRequestCount)",
                ]
            )
        case .stepFailed(let step, let node, let reason):
            (.warning, "step failed", ["step": "\(step.number)", "node": "\(node)", "reason": "\(reason)"])
        case .drained(let node, let isForced):
            (.notice, "worker is drained", ["node": "\(node)", "forced": "\(isForced)"])
        case .resumed(let node):
            (.notice, "worker is resumed", ["node": "\(node)"])
        case .shuttingDown(let openRequestCount):
            (.notice, "the cluster is shutting down", ["open_requests": "\(openRequestCount)"])
        case .replicasPlanned(let replicas):
            (
                .notice, "replicas planned",
                [
                    "replicas": "\(replicas.count)",
                    "workers": "\(replicas.map { $0.map(\.name).joined(separator: "+") }.joined(separator: ", "))",
                ]
            )
        case .workerMoved(let node, let from, let to):
            (.notice, "worker goes to another replica", ["node": "\(node)", "from": "\(from)", "to": "\(to)"])
        case .requestsMoved(let count, let from):
            (.notice, "requests go to other replicas", ["requests": "\(count)", "from": "\(from)"])
        case .breakerOpened(let replica, let backOff):
            (
                .warning, "circuit breaker opens",
                ["replica": "\(replica)", "seconds": "\(backOff.plainSeconds)"]
            )
        case .breakerClosed(let replica):
            (.notice, "circuit breaker closes", ["replica": "\(replica)"])
        case .measured(let linkCount):
            (.info, "workers and links measured", ["links": "\(linkCount)"])
        case .notMeasured(let reason):
            (.warning, "not measured", ["reason": "\(reason)"])
        }
    }
}

extension PlacedPipeline {
    /// Such as `a 0–11, b+c 12–23`, the ranks of a stage in order.
    fileprivate var summary: String {
        stages.map { stage in
            "\(stage.nodes.map(\.name).joined(separator: "+")) \(stage.layers.inclusiveText)"
        }.joined(separator: ", ")
    }
}

extension JournalNotice {
    /// Tells the operator.
    func log(to logger: Logger) {
        switch self {
        case .brokenEnd(let byteCount, let recordCount):
            logger.warning(
                "the journal was broken at its end", metadata: ["bytes": "\(byteCount)", "records": "\(recordCount)"])
        case .otherModel:
            logger.warning("the model is another one than before; open streams are forgotten")
        case .notWritten(let problem):
            logger.error(
                "nothing is written to the journal any more; streams do not outlive this coordinator",
                metadata: ["problem": "\(problem)"])
        case .notCompacted(let problem):
            logger.error("the journal cannot be written anew", metadata: ["problem": "\(problem)"])
        }
    }
}
