import ClusterCore
import Transport

extension Envelope {
    /// What it says, in a line.
    var summary: String {
        switch body {
        case .hello(let hello): "hello, incarnation \(hello.incarnation)"
        case .heartbeat(let heartbeat):
            "heartbeat \(heartbeat.number), \(heartbeat.keyValueTokenCount) KV tokens"
        case .ready: "ready in epoch \(epoch.number)"
        case .failure(let failure): "failure in epoch \(epoch.number): \(failure.message)"
        case .leave(let leave): "leave: \(leave.reason)"
        case .welcome: "welcome, epoch \(epoch.number)"
        case .heartbeatReply(let reply): "heartbeat reply \(reply.number)"
        case .assignment(let assignment):
            "assignment in epoch \(epoch.number): stage \(assignment.stage) of \(assignment.stageCount), rank "
                + "\(assignment.rank) of \(assignment.ranks.count), layers \(assignment.layers)"
        case .refusal(let refusal): "refusal: \(refusal.reason)"
        case .step(let step): "step \(step.id.number) in epoch \(epoch.number): \(step.summary)"
        case .stepResult(let result):
            "result of step \(result.id.number) in epoch \(epoch.number), \(result.slices.count) slices"
        case .exchange(let exchange):
            "part \(exchange.round) of step \(exchange.step.number) in epoch \(epoch.number)"
        default: String("\(body)".prefix { $0 != "(" })
        }
    }
}

extension Step {
    fileprivate var summary: String {
        let parts = slices.map { slice in
            "sequence \(slice.sequence.number) at \(slice.startPosition) + \(slice.tokens.count)"
        }
        let released = released.isEmpty ? [] : ["released \(released.map { "\($0.number)" }.joined(separator: " "))"]
        return (parts + released).joined(separator: ", ")
    }
}

extension Notice {
    /// What it says, in a line.
    var summary: String {
        switch self {
        case .joined(let node, let hello): "\(node) joined, incarnation \(hello.incarnation)"
        case .refused(let node, let reason): "\(node) refused: \(reason)"
        case .suspected(let node, _): "\(node) suspected"
        case .recovered(let node): "\(node) recovered"
        case .lost(let node, let reason): "\(node) lost: \(reason)"
        case .left(let node, let reason): "\(node) left: \(reason)"
        case .epochOpened(let pipeline, let replica):
            "epoch \(pipeline.epoch.number) opened, replica \(replica): \(pipeline.nodes.map(\.name).joined(separator: " "))"
        case .stageReady(let node, _): "\(node) ready"
        case .loadingFailed(let node, let reason): "\(node) could not load: \(reason)"
        case .serving(let pipeline, _, let count): "epoch \(pipeline.epoch.number) serves, \(count) interrupted"
        case .epochEnded(let epoch, let node, let reason, let count):
            "epoch \(epoch.number) ended, \(node.map(\.name) ?? "nobody"): \(reason); \(count) open"
        case .stepFailed(let step, let node, let reason): "step \(step.number) failed on \(node): \(reason)"
        default: "\(self)"
        }
    }
}
