import ClusterCore
import Synchronization

/// Runs the choices of one plan side by side and reports what each one's text grows by.
///
/// At most `concurrentChoiceLimit` run at a time, and when the engine's queue is full for a further one it waits for
/// one of the others to end. Whatever ends the session, an error, an interruption or the calling task's cancellation,
/// gives up all that still runs.
struct GenerationSession {
    typealias Stream = AsyncThrowingStream<GenerationEvent, any Error>

    /// What the session tells its caller.
    enum Report: Sendable {
        case delta(choice: Int, ChoiceDelta)
        /// Nothing has happened for a while.
        case quiet
    }

    /// A first choice that is already running. The session takes its stream out, so that nothing else keeps the
    /// generation going when the session lets go of it.
    final class Head: Sendable {
        private let stream: Mutex<Stream?>
        let firstEvent: PendingEvent

        init(_ stream: Stream) {
            self.stream = Mutex(stream)
            firstEvent = PendingEvent(of: stream)
        }

        func takeStream() -> Stream? { stream.withLock { $0.take() } }
    }

    private enum Occurrence: Sendable {
        case admitted(Int, Stream)
        case refused(GenerationError)
        case event(Int, GenerationEvent?)
        case quiet
    }

    private typealias Group = ThrowingTaskGroup<Occurrence, any Error>

    private let plan: GenerationPlan
    private let engine: any GenerationEngine
    private let interruptions: Interruptions
    private let concurrentChoiceLimit: Int
    private var assemblers: [ChoiceAssembler]
    /// The generation of each choice, while it runs.
    private var streams: [Stream?]
    private var runningCount = 0
    private var endedCount = 0
    /// The next choice to hand to the engine.
    private var nextChoice = 0
    private var isAdmitting = false
    /// Deltas handed to the caller so far.
    private var reportCount = 0

    init(
        _ plan: GenerationPlan, engine: any GenerationEngine, codec: any TextCodec, interruptions: Interruptions,
        concurrentChoiceLimit: Int
    ) {
        self.plan = plan
        self.engine = engine
        self.interruptions = interruptions
        self.concurrentChoiceLimit = concurrentChoiceLimit
        assemblers = plan.choices.map { choice in
            ChoiceAssembler(
                codec: codec, options: choice.options, textOffset: choice.echo?.text.unicodeScalars.count ?? 0)
        }
        streams = Array(repeating: nil, count: plan.choices.count)
    }

    /// Tokens generated so far, over all choices.
    var completionTokenCount: Int { assemblers.reduce(0) { $0 + $1.tokenCount } }

    /// Hands the first choice to the engine and waits a while for its first token, so that what fails early can still
    /// be answered with a status. Nil if the first choice generates nothing.
    static func begin(
        _ plan: GenerationPlan, engine: any GenerationEngine, interruptions: Interruptions, patience: Duration
    ) async throws -> Head? {
        guard let request = plan.choices.first?.request else { return nil }
        return try await interruptions.withInterruption {
            let head = Head(try await engine.generate(request))
            try await head.firstEvent.settle(within: patience)
            return head
        }
    }

    /// Runs all choices to their end.
    ///
    /// - Parameters:
    ///   - head: what ``begin(_:engine:interruptions:patience:)`` returned, if it was called.
    ///   - quietInterval: how often to see whether anything was reported, and to report `.quiet` if not; nil for never.
    /// - Throws: ``GenerationError`` or ``APIError`` of any choice, ``ClientDisconnected``, or what `report` throws.
    mutating func run(
        continuing head: Head? = nil, quietInterval: Duration? = nil, report: (Report) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Occurrence.self) { group in
            defer { group.cancelAll() }
            let interruptions = interruptions
            group.addTask { try await interruptions.waitForDisconnect() }
            group.addTask { try await interruptions.waitForShutdown() }
            if let quietInterval { wake(after: quietInterval, in: &group) }
            if let head, let stream = head.takeStream() {
                nextChoice = 1
                try await begin(0, stream, report)
                group.addTask { .event(0, try await head.firstEvent.value()) }
            }
            try await admitNext(in: &group, report)
            var lastReportCount = 0
            while endedCount < plan.choices.count, let occurrence = try await group.next() {
                if case .quiet = occurrence, let quietInterval {
                    if reportCount == lastReportCount { try await report(.quiet) }
                    lastReportCount = reportCount
                    wake(after: quietInterval, in: &group)
                } else {
                    try await handle(occurrence, in: &group, report)
                }
            }
        }
    }

    private mutating func handle(
        _ occurrence: Occurrence, in group: inout Group, _ report: (Report) async throws -> Void
    ) async throws {
        switch occurrence {
        case .admitted(let choice, let stream):
            isAdmitting = false
            try await begin(choice, stream, report)
            pull(choice, in: &group)
            try await admitNext(in: &group, report)
        case .refused(.queueFull) where runningCount > 0:
            // Tried again when one of this request's other choices has ended.
            isAdmitting = false
            nextChoice -= 1
        case .refused(let error):
            throw error
        case .event(let choice, .token(let token)):
            let delta = assemblers[choice].append(token)
            try await advance(choice, delta, in: &group, report)
        case .event(let choice, .finished(let reason)):
            let delta = assemblers[choice].finish(reason)
            try await advance(choice, delta, in: &group, report)
        case .event(_, nil):
            // A stream also ends without a word when its consumer is cancelled.
            try Task.checkCancellation()
            throw APIError.internalFailure("the engine ended a generation without saying why")
        case .quiet: break
        }
    }

    private mutating func begin(
        _ choice: Int, _ stream: Stream, _ report: (Report) async throws -> Void
    ) async throws {
        streams[choice] = stream
        runningCount += 1
        if let echo = plan.choices[choice].echo { try await tell(choice, echo, report) }
    }

    private mutating func advance(
        _ choice: Int, _ delta: ChoiceDelta, in group: inout Group, _ report: (Report) async throws -> Void
    ) async throws {
        if !delta.isEmpty { try await tell(choice, delta, report) }
        guard delta.finishReason != nil else { return pull(choice, in: &group) }
        // Letting go of the stream ends a generation that a stop string cut short.
        streams[choice] = nil
        runningCount -= 1
        endedCount += 1
        try await admitNext(in: &group, report)
    }

    private func pull(_ choice: Int, in group: inout Group) {
        guard let stream = streams[choice] else { return }
        group.addTask {
            var iterator = stream.makeAsyncIterator()
            return .event(choice, try await iterator.next())
        }
    }

    private mutating func admitNext(in group: inout Group, _ report: (Report) async throws -> Void) async throws {
        while nextChoice < plan.choices.count, !isAdmitting, runningCount < concurrentChoiceLimit {
            let choice = nextChoice
            nextChoice += 1
            guard let request = plan.choices[choice].request else {
                var delta = plan.choices[choice].echo ?? ChoiceDelta()
                delta.finishReason = .length
                endedCount += 1
                try await tell(choice, delta, report)
                continue
            }
            isAdmitting = true
            group.addTask { [engine] in
                do throws(GenerationError) {
                    return .admitted(choice, try await engine.generate(request))
                } catch {
                    return .refused(error)
                }
            }
        }
    }

    private mutating func tell(
        _ choice: Int, _ delta: ChoiceDelta, _ report: (Report) async throws -> Void
    ) async throws {
        reportCount += 1
        try await report(.delta(choice: choice, delta))
    }

    private func wake(after interval: Duration, in group: inout Group) {
        group.addTask {
            try await Task.sleep(for: interval)
            return .quiet
        }
    }
}
