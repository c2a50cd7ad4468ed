import ClusterCore
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Transport
public import WeightTransfer
import ZeroMQ

/// The head of a cluster: takes workers in, gives them their parts, and runs requests on them.
///
/// It listens from its making on. Two threads of its own do the work: one for the control plane, one for the cores and
/// the data plane.
public final class Coordinator: Service, Sendable {
    /// Where workers connect, with the port that was really bound.
    public let controlEndpoint: String
    /// Where workers send results, with the port that was really bound.
    public let dataEndpoint: String

    private let mailbox: Mailbox
    private let status: StatusBoard
    private let lastTicket = Atomic<UInt64>(0)
    private let queueLimit: Int
    private let ended: Reply<String?>
    private let threads: [OwnedThread]

    /// How long the threads may take to bind, and to end.
    private static let threadTimeout = Duration.seconds(10)

    /// - Parameters:
    ///   - weights: serves the model's files to workers that have none; nil: they all have them.
    ///   - security: encrypts all links, and knows the workers' keys; nil: plain text.
    /// - Throws: `CoordinatorError` if settings conflict or do not fit the model, or an endpoint cannot be bound.
    public init(
        configuration: ClusterConfiguration, model: CoordinatedModel, weights: WeightsServer? = nil,
        security: NodeSecurity? = nil, logger: Logger
    ) throws(CoordinatorError) {
        // Epochs are counted from the time in milliseconds, so that they exceed those of a predecessor.
        let firstEpoch = Epoch(UInt64(max(1, Date().timeIntervalSince1970 * 1000)))
        // Conflicts are found before anything is bound.
        _ = try configuration.coordination(of: model, dataEndpoint: "tcp://127.0.0.1:0", firstEpoch: firstEpoch)
        let stepRowCount = configuration.resolvedStepRowCount(of: model)
        if configuration.maximumStepRowCount == nil, stepRowCount < ClusterConfiguration.defaultStepRowCount {
            logger.notice(
                "step_rows is lowered, as hidden states of that many rows would not fit a message",
                metadata: ["step_rows": "\(stepRowCount)", "hidden_size": "\(model.hiddenSize)"])
        }
        let launch: Launch
        do throws(ZeroMQError) {
            launch = try Launch(
                configuration: configuration, model: model, firstEpoch: firstEpoch, weights: weights,
                security: security, logger: logger)
        } catch {
            throw .system(error.description)
        }
        let status = StatusBoard(
            clusterID: configuration.clusterID, model: model.name, queueLimit: configuration.queueLimit)
        let running = try launch.start(status: status, timeout: Self.threadTimeout)
        mailbox = launch.mailbox
        self.status = status
        ended = launch.ended
        queueLimit = configuration.queueLimit
        threads = running.threads
        controlEndpoint = running.controlEndpoint
        dataEndpoint = running.dataEndpoint
    }

    deinit { mailbox.stop() }

    /// Serves until graceful shutdown or cancellation. Requests that are still running then end with
    /// `GenerationError.unavailable`.
    ///
    /// - Throws: `CoordinatorError.failed` if the sockets fail.
    public func run() async throws {
        let mailbox = mailbox
        let failure = await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await ended.wait()
            } onGracefulShutdown: {
                mailbox.stop()
            }
        } onCancel: {
            mailbox.stop()
        }
        for thread in threads { _ = thread.join(within: Self.threadTimeout) }
        if let failure { throw CoordinatorError.failed(failure) }
    }

    /// Asks for a generation; returns when it has been admitted or queued.
    ///
    /// - Throws: `GenerationError` if it is refused. What comes later, the stream throws.
    public func generate(_ request: GenerationRequest) async throws(GenerationError) -> GenerationStream {
        let buffer = EventBuffer()
        let ticket = newTicket()
        try await submit(ticket, .generation(request), .generation(buffer))
        let mailbox = mailbox
        return GenerationStream(buffer: buffer) { mailbox.cancel(ticket, by: $0) }
    }

    /// Reads a request of a kept stream from its first token: what it has sampled before, perhaps under another coordinator,
    /// and what follows. A request that is not known is let in.
    ///
    /// - Throws: `GenerationError` if it is refused. What comes later, the stream throws.
    public func read(_ request: GenerationRequest) async throws(GenerationError) -> GenerationStream {
        let buffer = EventBuffer()
        let ticket = newTicket()
        let accepted = Reply<Result<Ticket, GenerationError>>()
        guard mailbox.post(.read(ticket, request, buffer, accepted: accepted)) else { throw refusal }
        let silence = GenerationError.unavailable(StatusBoard.silence)
        let mailbox = mailbox
        do throws(GenerationError) {
            let ticket = try await accepted.wait(within: StatusBoard.validity, else: .failure(silence)).get()
            return GenerationStream(buffer: buffer) { mailbox.cancel(ticket, by: $0) }
        } catch {
            // It may still be let in later, when nobody waits for it any more.
            if error == silence { mailbox.cancel(ticket, by: buffer) }
            throw error
        }
    }

    /// Keeps what is needed to write a streamed answer again. To be called before its requests are read.
    public func keep(_ stream: KeptStream) { _ = mailbox.post(.keep(stream)) }

    /// A stream that was kept; nil if it is not known, or no more.
    ///
    /// - Throws: `GenerationError` if that cannot be said now.
    public func keptStream(_ id: String) async throws(GenerationError) -> KeptStream? {
        let reply = Reply<Result<KeptStream?, GenerationError>>()
        guard mailbox.post(.keptStream(id, reply)) else { throw refusal }
        let silence = GenerationError.unavailable(StatusBoard.silence)
        return try await reply.wait(within: StatusBoard.validity, else: .failure(silence)).get()
    }

    /// Scores a text by teacher forcing.
    ///
    /// - Parameters:
    ///   - topCount: best tokens to report at each position, 0...128.
    ///   - chunk: tokens per step, at least 1.
    /// - Throws: `GenerationError` if it is refused or cannot go on; `.unavailable` if the task is cancelled.
    public func score(tokens: [Int32], topCount: Int, chunk: Int) async throws(GenerationError) -> ScoredText {
        let reply = Reply<Result<ScoredText, GenerationError>>()
        let ticket = newTicket()
        let request = ScoringRequest(tokens: tokens, topCount: topCount, chunk: chunk)
        try await submit(ticket, .scoring(request), .scoring(reply))
        let mailbox = mailbox
        let result = await withTaskCancellationHandler {
            await reply.wait()
        } onCancel: {
            mailbox.cancel(ticket, by: reply)
            reply.answer(.failure(.unavailable("the request was cancelled")))
        }
        return try result.get()
    }

    /// What is known of the cluster now; that it is down if the coordinator's thread does not answer.
    public func health() async -> ClusterHealth {
        let reply = Reply<ClusterHealth>()
        guard mailbox.post(.health(reply)) else {
            return status.lastHealth(because: "the coordinator has more to do than it can take")
        }
        return await reply.wait(
            within: StatusBoard.validity, else: status.lastHealth(because: StatusBoard.silence))
    }

    /// Has all workers and links measured anew, while nothing is computed; health shows how far it is.
    ///
    /// - Returns: how many measurements that are.
    /// - Throws: a refusal with its reason, such as that requests run.
    public func measure() async throws(MeasuringRefusal) -> Int {
        let reply = Reply<Result<Int, MeasuringRefusal>>()
        guard mailbox.post(.measure(reply)) else {
            throw MeasuringRefusal("the coordinator has more to do than it can take; try again later")
        }
        return try await reply.wait(
            within: StatusBoard.validity, else: .failure(MeasuringRefusal(StatusBoard.silence))
        ).get()
    }

    /// Begins an operation; health shows how far it is. After a shutdown `run()` ends.
    ///
    /// - Throws: a refusal with its reason, such as that no other worker can take over.
    public func operate(_ operation: ClusterOperation) async throws(OperationRefusal) {
        let reply = Reply<OperationRefusal?>()
        guard mailbox.post(.operate(operation, reply)) else {
            throw OperationRefusal("the coordinator has more to do than it can take; try again later")
        }
        let silence = OperationRefusal(StatusBoard.silence)
        if let refusal = await reply.wait(within: StatusBoard.validity, else: silence) { throw refusal }
    }

    /// All that a plan for this cluster is made from; nil if the coordinator's thread does not answer.
    public func planningInput() async -> PlanningInput? {
        let reply = Reply<PlanningInput?>()
        guard mailbox.post(.planningInput(reply)) else { return nil }
        return await reply.wait(within: StatusBoard.validity, else: nil)
    }

    /// Knows these workers from now on and no others, and tells them of each other. Those that are no longer known are lost
    /// at once. Without keys this does nothing.
    ///
    /// - Returns: false if nothing came of it, as there is too much to do; then do it again.
    public func allow(_ workers: [NodeKey]) -> Bool { mailbox.post(.allow(workers)) }

    /// Whether a token has passed through every stage within the last two probe intervals, and if not, why not. Never
    /// waits.
    public func readiness() -> (isReady: Bool, reason: String) { status.readiness }

    /// See `readiness()`.
    public var isReady: Bool { readiness().isReady }

    /// Why a request could not even be posted.
    private var refusal: GenerationError {
        let (isReady, reason) = status.readiness
        return isReady ? .queueFull(limit: queueLimit, retryAfterSeconds: 1) : .unavailable(reason)
    }

    private func newTicket() -> Ticket { Ticket(lastTicket.add(1, ordering: .relaxed).newValue) }

    private func submit(_ ticket: Ticket, _ work: Work, _ sink: RequestSink) async throws(GenerationError) {
        let accepted = Reply<GenerationError?>()
        guard mailbox.post(.submit(ticket, work, sink, accepted: accepted)) else { throw refusal }
        let silence = GenerationError.unavailable(StatusBoard.silence)
        guard let error = await accepted.wait(within: StatusBoard.validity, else: silence) else { return }
        // It may still be let in later, when nobody waits for it any more.
        if error == silence { mailbox.cancel(ticket, by: sink.reader) }
        throw error
    }
}
