import Transport

/// How the shape of a pipeline is planned when the operator leaves it to the coordinator.
public struct PlacementPlanning: Sendable, Equatable {
    public var model: ModelCosts
    public var constraints: PlanConstraints
    public var objective: PlanObjective
    /// Streams that decode at a time, for the throughput.
    public var concurrency: Int

    public init(
        model: ModelCosts, constraints: PlanConstraints = PlanConstraints(), objective: PlanObjective = .latency,
        concurrency: Int = 8
    ) {
        self.model = model
        self.constraints = constraints
        self.objective = objective
        self.concurrency = concurrency
    }

    /// Whether the plan also says how often the model is placed.
    var plansReplicas: Bool { objective == .throughput }
}

extension PlacementConfiguration {
    /// What the planner is asked for.
    func planRequest(_ planning: PlacementPlanning, among names: [String]) -> PlanRequest {
        PlanRequest(
            objective: planning.objective, concurrency: planning.concurrency, contextLength: contextLength,
            keyValueTokenCapacity: keyValueTokenCapacity, maximumStepRowCount: maximumStepRowCount,
            constraints: planning.constraints.limited(to: names))
    }
}

/// Plans the stages of the next pipeline of a replica from what was measured.
struct StagePlanner: Sendable {
    private let planning: PlacementPlanning
    private var measurements: ClusterMeasurements?
    /// The workers for which there was no plan: with the same ones there is none again.
    private var refused: [NodeID]?
    /// Why there was no plan, or what is still waited for; nil after a plan.
    private(set) var problem: String?

    init(_ planning: PlacementPlanning) { self.planning = planning }

    /// Plans from these measurements from now on; false if they are the same.
    mutating func take(_ measurements: ClusterMeasurements) -> Bool {
        guard measurements != self.measurements else { return false }
        self.measurements = measurements
        refused = nil
        return true
    }

    /// Whether all of these have been measured.
    func hasMeasured(_ workers: [Peer]) -> Bool {
        workers.allSatisfy { worker in measurements?.nodes.contains { $0.name == worker.node.name } ?? false }
    }

    /// The stages for some of the workers, of which at least `count` must have been measured; nil if there is no plan.
    mutating func stages(
        of workers: [Peer], atLeast count: Int, _ configuration: PlacementConfiguration
    ) -> [PlacedPipeline.Stage]? {
        guard var measurements else {
            problem = "workers and links are being measured"
            return nil
        }
        measurements.nodes.removeAll { node in !workers.contains { $0.node.name == node.name } }
        for index in measurements.nodes.indices { measurements.nodes[index].isAvailable = true }
        let names = measurements.nodes.map(\.name)
        guard names.count >= count else {
            problem = "workers and links are being measured"
            return nil
        }
        let nodes = workers.map(\.node).sorted()
        guard nodes != refused else { return nil }
        do throws(PlanError) {
            var request = configuration.planRequest(planning, among: names)
            request.allowsReplicas = false
            let plan = try Planner.plan(measurements, planning.model, request)
            problem = nil
            return plan.chosen.placement.replicas[0].stages.map { stage in
                PlacedPipeline.Stage(
                    ranks: stage.ranks.compactMap { rank in
                        workers.first { $0.node.name == rank.node }.map { StageRank(peer: $0, share: rank.share) }
                    }, layers: stage.layers)
            }
        } catch {
            refused = nodes
            problem = "no placement: \(error)"
            return nil
        }
    }
}
