import Collectives
import Logging
import Synchronization
import Testing
import Transport
import Wire
import WorkerRuntime
import ZeroMQ

/// How long a test waits for something that should come at once.
let patience: Duration = .seconds(20)

/// Nothing is logged in tests.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func nodeID(_ name: String) throws -> NodeID { try #require(NodeID(name)) }

/// A stage that can be checked by hand: a row of hidden states is the token on the first stage, and one more on each
/// later one; the last stage samples the value of a slice's last row.
final class ArithmeticStage: StageComputing {
    let hiddenSize = 4
    let weightsByteCount = 1000
    var keyValueTokenCount = 0
    let keyValueTokenCapacity: Int
    private let assignment: StageAssignment
    private var rows: [Float] = []
    /// Makes every step of this sequence fail.
    static let badSequence = SequenceID(666)
    /// Signals that a step of this sequence has begun, and holds it until it is let go.
    static let slowSequence = SequenceID(777)
    private let slowStep: SlowStep?

    init(_ assignment: StageAssignment, slowStep: SlowStep? = nil) {
        self.assignment = assignment
        self.slowStep = slowStep
        keyValueTokenCapacity = assignment.keyValueTokenCapacity
    }

    func run(_ step: Step) throws(StageError) -> StageOutput {
        rows = step.slices.flatMap { slice in
            slice.tokens.flatMap { Array(repeating: Float($0), count: hiddenSize) }
        }
        return try finish(step)
    }

    func run(_ step: Step, hiddenStates: RawSpan) throws(StageError) -> StageOutput {
        rows = (0..<hiddenStates.byteCount / 4).map { index in
            hiddenStates.unsafeLoad(fromByteOffset: index * 4, as: Float.self) + 1
        }
        return try finish(step)
    }

    func reset(joining group: RankGroup) { keyValueTokenCount = 0 }

    func withHiddenStates<Result>(_ body: (RawSpan) throws(LinkError) -> Result) throws(LinkError) -> Result {
        let rows = rows
        return try body(rows.span.bytes)
    }

    private func finish(_ step: Step) throws(StageError) -> StageOutput {
        if step.slices.contains(where: { $0.sequence == Self.badSequence }) {
            throw StageError("sequence 666 is cursed", isRetryable: true)
        }
        if let slowStep, step.slices.contains(where: { $0.sequence == Self.slowSequence }) { slowStep.pass() }
        keyValueTokenCount += step.rowCount
        guard assignment.isLastStage else { return .hiddenStates }
        guard assignment.answers else { return .nothing }
        var end = 0
        let slices = step.slices.map { slice in
            end += slice.tokens.count
            let value = Int32(rows[(end - 1) * hiddenSize])
            return SliceResult(sequence: slice.sequence, output: .sampled(TokenChoice(token: value)))
        }
        return .result(StepResult(id: step.id, slices: slices))
    }
}

/// Where a slow step waits.
final class SlowStep: Sendable {
    let begun: WakeSignal
    let goOn: WakeSignal

    init() throws {
        begun = try WakeSignal()
        goOn = try WakeSignal()
    }

    func pass() {
        begun.signal()
        goOn.wait(timeout: patience)
    }
}

/// A worker on a thread of its own.
final class RunningWorker: Sendable {
    let node: NodeID
    private let worker: Worker
    private let thread: OwnedThread
    private let outcome = Outcome()

    private final class Outcome: Sendable {
        let error = Mutex<WorkerError?>(nil)
    }

    init(
        _ name: String, coordinator: String, cluster: String = "test", dataEndpoint: String? = nil,
        allowsPlainText: Bool = false, sharesMemory: Bool = true, servesWeights: Bool = true,
        loader: @escaping Worker.Loader = { stage, _, _ in ArithmeticStage(stage) }, meter: Worker.Meter? = nil
    ) throws {
        node = try nodeID(name)
        var configuration = WorkerConfiguration(
            coordinatorEndpoint: coordinator, name: node, cpuModel: "test", instructionSet: "portable",
            threadCount: 1)
        configuration.clusterID = cluster
        configuration.dataEndpoint = dataEndpoint
        configuration.allowsPlainText = allowsPlainText
        configuration.sharesMemory = sharesMemory
        configuration.servesWeights = servesWeights
        let worker = try Worker(configuration: configuration, logger: quiet, meter: meter, loader: loader)
        self.worker = worker
        let outcome = outcome
        thread = try OwnedThread.start(name: name) {
            do throws(WorkerError) {
                try worker.runUntilStopped()
            } catch {
                outcome.error.withLock { $0 = error }
            }
        }
    }

    /// Stops the worker and waits for its end.
    func stop() -> WorkerError? {
        worker.stop()
        return end()
    }

    /// Waits for the worker to end by itself.
    func end() -> WorkerError? {
        #expect(thread.join(within: patience))
        return outcome.error.withLock { $0 }
    }
}

/// A coordinator that does what a test tells it to.
final class FakeCoordinator {
    let control: ControlServer
    let data: ZeroMQDataLinks
    private(set) var connections: [NodeID: ConnectionID] = [:]
    private(set) var hellos: [NodeID: Hello] = [:]
    private(set) var lastHeartbeat: [NodeID: Heartbeat] = [:]
    /// Heartbeats are answered, and hellos welcomed, unless a test wants silence.
    var isAnswering = true
    private let clock = ContinuousClock()

    init(binding endpoint: String = "tcp://127.0.0.1:0") throws {
        control = try ControlServer(binding: endpoint)
        data = try ZeroMQDataLinks(node: .coordinator, clusterID: "test", binding: "tcp://127.0.0.1:0")
    }

    func send(_ body: Envelope.Body, epoch: UInt64 = 0, to node: NodeID) throws {
        let connection = try #require(connections[node])
        try control.send(
            Envelope(clusterID: "test", epoch: Epoch(epoch), sender: .coordinator, body: body), to: connection)
    }

    /// Takes control messages until `wanted` returns something.
    func wait<Wanted>(
        _ comment: Comment, for wanted: (Envelope, NodeID) -> Wanted?
    ) throws -> Wanted {
        let deadline = clock.now + patience
        while clock.now < deadline {
            guard case .message(let envelope, let connection) = try control.receive(timeout: .milliseconds(50)) else {
                continue
            }
            note(envelope, connection)
            if let found = wanted(envelope, envelope.sender) { return found }
        }
        return try #require(nil as Wanted?, comment)
    }

    private func note(_ envelope: Envelope, _ connection: ConnectionID) {
        switch envelope.body {
        case .hello(let hello):
            connections[envelope.sender] = connection
            hellos[envelope.sender] = hello
            if isAnswering {
                let welcome = Welcome(heartbeatInterval: .milliseconds(20), dataEndpoint: data.endpoint)
                try? send(.welcome(welcome), to: envelope.sender)
            }
        case .heartbeat(let heartbeat):
            lastHeartbeat[envelope.sender] = heartbeat
            if isAnswering, connections[envelope.sender] == connection {
                try? send(.heartbeatReply(HeartbeatReply(number: heartbeat.number)), to: envelope.sender)
            }
        default: break
        }
    }

    /// From now on nobody has said hello.
    func forgetHellos() { hellos = [:] }

    /// Waits until all `nodes` have said hello.
    func waitForHellos(_ nodes: [NodeID]) throws {
        while !nodes.allSatisfy({ hellos[$0] != nil }) {
            _ = try wait("hello") { envelope, _ in
                if case .hello = envelope.body { true } else { nil }
            }
        }
    }

    /// Spreads 10 layers for each node over the nodes in order, and waits until all are ready.
    func assign(
        _ nodes: [NodeID], epoch: UInt64, maximumStepRowCount: Int = 16, headPrecision: HeadPrecision = .automatic
    ) throws {
        try assign(
            stages: nodes.map { [$0] }, epoch: epoch, maximumStepRowCount: maximumStepRowCount,
            headPrecision: headPrecision)
    }

    /// Spreads 10 layers for each stage over the ranks of the stages, and waits until all are ready.
    func assign(
        stages: [[NodeID]], epoch: UInt64, maximumStepRowCount: Int = 16, headPrecision: HeadPrecision = .automatic
    ) throws {
        for (stage, nodes) in stages.enumerated() {
            for rank in nodes.indices {
                let assignment = try assignment(
                    stage, rank, of: stages, maximumStepRowCount: maximumStepRowCount, headPrecision: headPrecision)
                try send(.assignment(assignment), epoch: epoch, to: nodes[rank])
            }
        }
        var waiting = Set(stages.joined())
        while !waiting.isEmpty {
            let ready: NodeID = try wait("ready in epoch \(epoch)") { envelope, node in
                if case .ready = envelope.body, envelope.epoch == Epoch(epoch) { node } else { nil }
            }
            waiting.remove(ready)
        }
        for node in stages[0] { try data.connect(to: peer(node)) }
    }

    /// Sends one of the assignments of stages with one rank each.
    func assign(_ stage: Int, of nodes: [NodeID], _ epoch: UInt64, _ maximumStepRowCount: Int = 16) throws {
        let assignment = try assignment(
            stage, 0, of: nodes.map { [$0] }, maximumStepRowCount: maximumStepRowCount)
        try send(.assignment(assignment), epoch: epoch, to: nodes[stage])
    }

    func assignment(
        _ stage: Int, _ rank: Int, of stages: [[NodeID]], maximumStepRowCount: Int = 16,
        headPrecision: HeadPrecision = .automatic
    ) throws -> StageAssignment {
        let own = stages[stage]
        let after = stage + 1 < stages.count ? stages[stage + 1] : []
        let before = stage > 0 ? stages[stage - 1] : [.coordinator]
        return StageAssignment(
            modelFile: ModelFileReference(
                path: "/m.gguf", byteCount: 1, headerDigest: Array(repeating: 1, count: 32)),
            stage: stage, stageCount: stages.count, rank: rank,
            ranks: try own.enumerated().map { index, node in
                let share = RankShare(
                    keyValueHeads: index..<(index + 1), feedForwardBlocks: index..<(index + 1), vocabularyChunks: 0..<0)
                return StageRank(peer: try peer(node), share: share)
            }, layers: stage * 10..<(stage + 1) * 10,
            next: try after.indices.filter { $0 % own.count == rank }.map { try peer(after[$0]) },
            previous: before[rank % before.count],
            contextLength: 100, keyValueTokenCapacity: 500, maximumStepRowCount: maximumStepRowCount,
            headPrecision: headPrecision)
    }

    func peer(_ node: NodeID) throws -> Peer {
        Peer(node: node, dataEndpoint: try #require(hellos[node]).dataEndpoint)
    }

    func sendStep(
        _ id: UInt64, epoch: UInt64 = 1, to node: NodeID, sequence: SequenceID = SequenceID(1),
        tokens: [Int32] = [5, 7]
    ) throws {
        try data.send(stepEnvelope(id, epoch: epoch, sequence: sequence, tokens: tokens), to: node)
    }

    func stepEnvelope(
        _ id: UInt64, epoch: UInt64 = 1, sender: NodeID = .coordinator, sequence: SequenceID = SequenceID(1),
        tokens: [Int32] = [5, 7]
    ) -> Envelope {
        let slice = SequenceSlice(
            sequence: sequence, startPosition: 0, tokens: tokens,
            output: .sample(SamplingParameters(), promptLength: 1))
        return Envelope(
            clusterID: "test", epoch: Epoch(epoch), sender: sender,
            body: .step(Step(id: StepID(id), slices: [slice])))
    }

    /// The next step result, while the control plane goes on being served.
    func nextResult() throws -> (sender: NodeID, epoch: Epoch, result: StepResult) {
        let deadline = clock.now + patience
        while clock.now < deadline {
            if case .message(let envelope, let connection) = try control.receive(timeout: .zero) {
                note(envelope, connection)
            }
            guard let delivery = try data.receive(timeout: .milliseconds(5)) else { continue }
            if case .stepResult(let result) = delivery.envelope.body {
                return (delivery.sender, delivery.envelope.epoch, result)
            }
        }
        return try #require(nil as (sender: NodeID, epoch: Epoch, result: StepResult)?, "no result came")
    }

    func nextFailure() throws -> (node: NodeID, epoch: Epoch, failure: WorkerFailure) {
        try wait("failure") { envelope, node in
            if case .failure(let failure) = envelope.body { (node, envelope.epoch, failure) } else { nil }
        }
    }
}

extension RankShare {
    /// All of a small model.
    static let whole = RankParts(keyValueHeadCount: 5, feedForwardSize: 1800, vocabularySize: 1000).whole
}
