import ClusterCore
import Transport
import WorkerRuntime

/// For each replica one placement after the other: opened, served, ended; each covers the model once, no worker has a place in
/// two, or one while it is drained, and a worker computes in an epoch only what was placed on it.
struct PlacementChecker {
    private enum State: Equatable {
        case loading(Epoch)
        case serving(Epoch)

        var epoch: Epoch {
            switch self {
            case .loading(let epoch), .serving(let epoch): epoch
            }
        }

        var text: String {
            switch self {
            case .loading(let epoch): "epoch \(epoch.number) being loaded"
            case .serving(let epoch): "epoch \(epoch.number) served"
            }
        }
    }

    private let layerCount: Int
    /// Of each replica that has a placement.
    private var states: [Int: State] = [:]
    private var pipelines: [Epoch: PlacedPipeline] = [:]
    /// Workers that are to hold nothing.
    private var drained: Set<NodeID> = []
    private(set) var openedCount = 0

    init(layerCount: Int) { self.layerCount = layerCount }

    mutating func opened(_ pipeline: PlacedPipeline, replica: Int) -> String? {
        let number = pipeline.epoch.number
        if let state = states[replica] { return "epoch \(number) was opened with \(state.text)" }
        for state in states.values.sorted(by: { $0.epoch < $1.epoch }) {
            let taken = pipelines[state.epoch]?.nodes ?? []
            if let node = pipeline.nodes.first(where: taken.contains) {
                return "epoch \(number) was opened on \(node) with \(state.text) there"
            }
        }
        if let node = pipeline.nodes.first(where: drained.contains) {
            return "epoch \(number) was opened on \(node), which is drained"
        }
        states[replica] = .loading(pipeline.epoch)
        pipelines[pipeline.epoch] = pipeline
        openedCount += 1
        var layer = 0
        for stage in pipeline.stages {
            guard stage.layers.lowerBound == layer, !stage.ranks.isEmpty else {
                return "epoch \(number) has a stage of layers \(stage.layers) after layer \(layer)"
            }
            layer = stage.layers.upperBound
        }
        let nodes = pipeline.nodes
        guard layer == layerCount, Set(nodes).count == nodes.count else {
            return "epoch \(number) holds \(layer) of \(layerCount) layers on \(nodes)"
        }
        return nil
    }

    mutating func serving(_ epoch: Epoch) -> String? {
        guard let replica = states.first(where: { $0.value == .loading(epoch) })?.key else {
            return "epoch \(epoch.number) serves with \(text)"
        }
        states[replica] = .serving(epoch)
        return nil
    }

    mutating func ended(_ epoch: Epoch) -> String? {
        guard let replica = states.first(where: { $0.value.epoch == epoch })?.key else {
            return "epoch \(epoch.number) ended with \(text)"
        }
        states[replica] = nil
        return nil
    }

    private var text: String {
        states.isEmpty ? "no placement" : states.sorted { $0.key < $1.key }.map(\.value.text).joined(separator: ", ")
    }

    mutating func drained(_ node: NodeID) { drained.insert(node) }

    mutating func resumed(_ node: NodeID) { drained.remove(node) }

    mutating func coordinatorEnded() { (states, drained) = ([:], []) }

    func computing(_ node: NodeID, _ duty: StageDuty) -> String? {
        let place = pipelines[duty.epoch]?.place(of: node)
        let assignment = duty.assignment
        guard place?.stage == assignment.stage, place?.rank == assignment.rank,
            pipelines[duty.epoch]?.stages[assignment.stage].layers == assignment.layers
        else { return "\(node) computes what epoch \(duty.epoch.number) has not placed on it" }
        return nil
    }
}
