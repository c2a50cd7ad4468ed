import ClusterCore
import Transport
import WorkerRuntime

/// One placement after the other: opened, served, ended; each covers the model once, and a worker computes in an epoch only what
/// was placed on it.
struct PlacementChecker {
    private enum State: Equatable {
        case none
        case loading(Epoch)
        case serving(Epoch)

        var text: String {
            switch self {
            case .none: "no placement"
            case .loading(let epoch): "epoch \(epoch.number) being loaded"
            case .serving(let epoch): "epoch \(epoch.number) served"
            }
        }
    }

    private let layerCount: Int
    private var state = State.none
    private var pipelines: [Epoch: PlacedPipeline] = [:]
    private(set) var openedCount = 0

    init(layerCount: Int) { self.layerCount = layerCount }

    mutating func opened(_ pipeline: PlacedPipeline) -> String? {
        guard state == .none else { return "epoch \(pipeline.epoch.number) was opened with \(state.text)" }
        state = .loading(pipeline.epoch)
        pipelines[pipeline.epoch] = pipeline
        openedCount += 1
        var layer = 0
        for stage in pipeline.stages {
            guard stage.layers.lowerBound == layer, !stage.ranks.isEmpty else {
                return "epoch \(pipeline.epoch.number) has a stage of layers \(stage.layers) after layer \(layer)"
            }
            layer = stage.layers.upperBound
        }
        let nodes = pipeline.nodes
        guard layer == layerCount, Set(nodes).count == nodes.count else {
            return "epoch \(pipeline.epoch.number) holds \(layer) of \(layerCount) layers on \(nodes)"
        }
        return nil
    }

    mutating func serving(_ epoch: Epoch) -> String? {
        guard state == .loading(epoch) else { return "epoch \(epoch.number) serves with \(state.text)" }
        state = .serving(epoch)
        return nil
    }

    mutating func ended(_ epoch: Epoch) -> String? {
        guard state == .loading(epoch) || state == .serving(epoch) else {
            return "epoch \(epoch.number) ended with \(state.text)"
        }
        state = .none
        return nil
    }

    mutating func coordinatorEnded() { state = .none }

    func computing(_ node: NodeID, _ duty: StageDuty) -> String? {
        let place = pipelines[duty.epoch]?.place(of: node)
        let assignment = duty.assignment
        guard place?.stage == assignment.stage, place?.rank == assignment.rank,
            pipelines[duty.epoch]?.stages[assignment.stage].layers == assignment.layers
        else { return "\(node) computes what epoch \(duty.epoch.number) has not placed on it" }
        return nil
    }
}
