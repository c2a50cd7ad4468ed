import ClusterCore
import CoordinatorRuntime
import Transport

/// What a seed makes of a simulation: machines, settings, requests, and how rough it gets.
struct ClusterPlan: Sendable {
    static let clusterID = "simulated"
    static let controlEndpoint = "tcp://10.0.0.1:7070"
    static let dataEndpoint = "tcp://10.0.0.1:7071"
    static let memoryByteCount: UInt64 = 16 << 30
    static let stageByteCount: UInt64 = 1 << 30
    /// Too little for the whole model.
    private static let scarceByteCount: UInt64 = 600 << 20

    let seed: UInt64
    let faults: Faults
    let model: HashModel
    /// When faults stop.
    let calmAt: Instant
    let requests: [PlannedRequest]
    private let nodes: [NodeID]
    private let clocks: [SkewedClock]
    /// Whether a worker's data plane listens at the same address after a restart.
    private let hasFixedPorts: Bool
    private var placement: PlacementConfiguration
    private let replicaCount: Int
    private let scheduler: SchedulerConfiguration
    private let detectionBound: Duration
    private let measuresLinks: Bool
    /// Nil if the coordinator keeps no journal.
    let journalLimits: RequestArchive.Limits?
    /// Whether the coordinator's calendar clock is set back now and then when its process starts.
    let setsClockBack: Bool
    /// What machines measure.
    let speeds: SimulatedSpeeds

    /// - Parameter workerCount: nil leaves it to the seed.
    init(seed: UInt64, workerCount: Int?, faults wanted: Faults) {
        var random = RandomStream(seed: seed, .cluster)
        self.seed = seed
        let drawnCount = random.pick([1, 2, 2, 3, 3, 3, 4, 4, 5, 6])
        let workerCount = workerCount ?? drawnCount
        faults = wanted.scaled(by: random.pick([0.3, 1, 1, 2]))
        nodes = [.coordinator] + (1...workerCount).map(Self.workerName)
        let skewed = nodes.map { _ in random.happens(wanted[.clockSkew]) }
        clocks = skewed.map { isSkewed in
            let skew = Int64(random.number(in: -50_000...50_000))
            return SkewedClock(
                skew: isSkewed ? skew : 0, offset: Int64(random.number(in: 0...1_000_000)) * 1_000_000)
        }
        hasFixedPorts = random.happens(0.5)
        calmAt = Instant(nanoseconds: Int64(random.number(in: 8...25)) * 1_000_000_000)
        detectionBound = .seconds(2)
        measuresLinks = random.happens(0.3)

        let layerCount = random.number(in: 4...6)
        var replicas = RandomStream(seed: seed, .replicas)
        let drawnReplicaCount = workerCount > 1 && replicas.happens(0.4) ? 2 : 1
        var planning = RandomStream(seed: seed, .planning)
        let isPlanned = planning.happens(0.25)
        let objective = planning.pick([PlanObjective.latency, .throughput])
        let concurrency = planning.pick([1, 8])
        let isScarce = planning.happens(0.4) && workerCount > 2
        // Where it is planned, it begins with one.
        replicaCount = isPlanned ? 1 : drawnReplicaCount
        speeds = SimulatedSpeeds(
            seed: seed, machineCount: nodes.count,
            memoryByteCount: isPlanned && isScarce ? Self.scarceByteCount : Self.memoryByteCount)
        let shape = Self.shape(workerCount: workerCount / replicaCount, layerCount: layerCount, &random)
        let headCount = random.pick([4, 4, 5])
        model = HashModel(layerCount: layerCount, headCount: headCount, vocabularySize: 1000)
        let contextLength = random.pick([128, 256, 400])
        let rowCount = random.pick([8, 32, 64, 300])
        placement = Self.placement(
            model, shape: shape, replicaCount: replicaCount, workers: nodes.dropFirst(), contextLength: contextLength,
            rowCount: rowCount,
            &random)
        var journal = RandomStream(seed: seed, .journal)
        let limits = RequestArchive.Limits(
            streamCount: journal.pick([2, Self.ampleStreamCount]), growthByteCount: journal.pick([2000, 8 << 20]))
        let keepsJournal = journal.happens(0.9)
        journalLimits = keepsJournal ? limits : nil
        // Without a journal, epochs come from the clock alone.
        setsClockBack = journal.happens(0.3) && keepsJournal
        if isPlanned {
            placement.shape = nil
            placement.planning = PlacementPlanning(model: model.costs, objective: objective, concurrency: concurrency)
        }
        var spares = RandomStream(seed: seed, .spares)
        placement.keepsSparesWarm = spares.happens(0.5)
        var scheduler = SchedulerConfiguration(
            contextLength: contextLength, vocabularySize: model.vocabularySize,
            maximumRunningCount: random.number(in: 1...8), queueLimit: random.pick([2, 16, 64]),
            maximumStepRowCount: rowCount, stepTimeout: random.pick([.seconds(5), .seconds(30)]))
        scheduler.reusesPrefixes = random.happens(0.9)
        scheduler.keptSequenceLimit = random.pick([1, 3, 64])
        self.scheduler = scheduler
        requests = PlannedRequest.all(seed: seed, until: calmAt, contextLength: contextLength, model: model)
    }

    private static func workerName(_ number: Int) -> NodeID { NodeID("worker-\(number)") ?? .coordinator }

    /// How many ranks each stage has, for all workers or for all but some spares.
    private static func shape(workerCount: Int, layerCount: Int, _ random: inout RandomStream) -> [Int] {
        var left = workerCount - (workerCount > 1 && random.happens(0.5) ? 1 : 0)
        var shape: [Int] = []
        let hasRanks = random.happens(0.4)
        while left > 0, shape.count < layerCount {
            let count = hasRanks ? min(left, random.number(in: 1...3)) : 1
            shape.append(count)
            left -= count
        }
        return shape
    }

    private static func placement(
        _ model: HashModel, shape: [Int], replicaCount: Int, workers: ArraySlice<NodeID>, contextLength: Int,
        rowCount: Int, _ random: inout RandomStream
    ) -> PlacementConfiguration {
        let count = shape.reduce(0, +)
        let isNamed = random.happens(0.3)
        let isGiven = shape.contains { $0 > 1 } || random.happens(0.3)
        let capacity = random.pick([512, 1024, 2048])
        let replanDelay = random.pick([Duration.milliseconds(500), .seconds(5)])
        let loadingTimeout = random.pick([Duration.seconds(5), .seconds(20)])
        // Sizes that are known to fit.
        guard
            let layout = try? ModelLayout(
                layerByteCounts: [UInt64](repeating: 1 << 28, count: model.layerCount), embeddingByteCount: 1 << 26,
                headByteCount: 1 << 26)
        else { preconditionFailure("a model of \(model.layerCount) layers has a layout") }
        return PlacementConfiguration(
            selection: isNamed
                ? .named(workers.prefix(count * replicaCount).map { NamedWorker(node: $0) }) : .count(count),
            shape: isGiven ? shape : nil, layout: layout,
            parts: model.parts,
            modelFile: ModelFileReference(
                path: "/models/simulated", byteCount: 1 << 30, headerDigest: [UInt8](repeating: 7, count: 32)),
            contextLength: contextLength, keyValueTokenCapacity: capacity, keyValueByteCount: 64,
            maximumStepRowCount: rowCount, loadingTimeout: loadingTimeout, replanDelay: replanDelay)
    }
}

extension ClusterPlan {
    func machines() -> [Machine] {
        nodes.indices.map { Machine(index: $0, node: nodes[$0], clock: clocks[$0]) }
    }

    func dataEndpoint(of machine: Machine) -> String {
        "tcp://10.0.0.\(machine.index + 1):\(hasFixedPorts ? 7071 : 20_000 + machine.processCount)"
    }

    /// More streams than there are.
    private static let ampleStreamCount = 1000
    /// At the start of a simulation, since 1970.
    private static let startSeconds = 1_700_000_000

    var keepsAllStreams: Bool { journalLimits?.streamCount == Self.ampleStreamCount }

    /// What a machine's calendar clock shows, in milliseconds since 1970.
    static func calendarMilliseconds(of machine: Machine, at now: Instant) -> UInt64 {
        UInt64((startSeconds - machine.setBackSeconds) * 1000 + Int(now.nanoseconds / 1_000_000))
    }

    /// What a coordinator goes by that starts now.
    func coordination(firstEpoch: Epoch, drained: [NodeID]) -> CoordinationConfiguration {
        var placement = placement
        placement.firstEpoch = firstEpoch
        placement.drained = drained
        var coordination = CoordinationConfiguration(
            clusterID: Self.clusterID, modelName: "simulated", dataEndpoint: Self.dataEndpoint,
            heartbeatInterval: .milliseconds(250),
            membership: MembershipConfiguration(detectionBound: detectionBound), placement: placement,
            scheduler: scheduler, measuresLinks: measuresLinks)
        coordination.replicaCount = replicaCount
        coordination.model = placement.planning?.model
        return coordination
    }

    /// In a line, for people.
    var summary: String {
        let plan = placement.planning.map { "a placement planned for \($0.objective.rawValue)" }
        let shape = plan ?? placement.shape.map { "placement \($0)" } ?? "a pipeline"
        let copies = replicaCount > 1 ? "\(replicaCount) replicas of " : ""
        return "\(nodes.count - 1) workers, \(copies)\(shape) over \(placement.selection.workerCount) of them, "
            + "\(model.layerCount) layers, context \(placement.contextLength), KV \(placement.keyValueTokenCapacity), "
            + "\(placement.maximumStepRowCount) rows in a step, \(placement.keepsSparesWarm ? "warm" : "cold") spares, \(journalLimits == nil ? "no" : "a") journal, \(scheduler.maximumRunningCount) running, "
            + "\(requests.count) requests, faults until \(calmAt.text)"
    }
}
