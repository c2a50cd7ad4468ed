import Transport

/// Which tokens go through the pipeline when: admission in order of arrival, batches, bounds.
///
/// - Admission: first come, first served. At most `maximumRunningCount` sequences run, each with KV for all that it may
///   come to need; the first that waits is never overtaken. At most `queueLimit` wait.
/// - Steps: at most one more than there are stages are in flight, so that each stage has work and the first one has the
///   next step at hand. A sequence has one decode row in flight at most, its prompt any number of chunks.
/// - Decoding sequences are spread over as many steps as there are stages, for all stages to be busy. They go first in
///   each step, and a prompt's chunk rides along with them, so neither starves the other.
/// - When the pipeline is gone, all requests wait for the next one, for as long as the outage limit. Those that have begun
///   come first; their prompts and committed tokens go through it like prompts, and they go on from there.
/// - KV is given back in the next step that is sent, and if that has no rows, once more in the next one that has. As steps
///   pass each stage in order, a sequence admitted later can rely on it.
/// - A request that ends leaves its KV to one that begins with the same tokens, as long as nobody else needs it.
public struct Scheduler: Sendable {
    public let configuration: SchedulerConfiguration
    /// In order of arrival; before them, those that are to be rebuilt, in their order of admission.
    var waiting: [RequestRecord] = []
    /// In order of admission.
    var running: [RunningSequence] = []
    /// Those whose requests have ended; the one that was used last comes last.
    var kept: [KeptSequence] = []
    /// In order of sending.
    var inFlight: [InFlightStep] = []
    /// Sequences that the stages still hold KV for.
    var unreleased: [SequenceID] = []
    /// Given back in steps without rows. Such a step may get lost, on its way to one of several ranks too, and nobody
    /// notices; so the next one with rows gives it back once more.
    var releasedAlone: [SequenceID] = []
    var line: Line?
    /// Set while requests may wait for the next pipeline.
    var outage: Outage?
    var budget = KeyValueBudget(tokenCapacity: 0)
    /// How long news of a failure may be under way.
    static let overtakenLimit: Duration = .seconds(2)
    private var lastSequenceNumber: UInt64 = 0
    private var lastStepNumber: UInt64 = 0
    var lastProgressAt = Instant.zero
    var lastEndAt: Instant?
    var secondsBetweenEnds = 1.0
    var tokenRate = RateWindow()
    /// Tokens that were not computed, as the KV of earlier requests was at hand, since the beginning.
    public internal(set) var reusedTokenCount: UInt64 = 0
    /// Of the open pipeline.
    var pace = Pace()

    /// When rows last came back through all stages; nil if none ever have.
    public internal(set) var lastTokenPassedAt: Instant?

    /// The same, but nil unless it was through the pipeline that is open now.
    public var lastTokenPassedHereAt: Instant? {
        guard let line, line.hasPassedToken else { return nil }
        return lastTokenPassedAt
    }

    /// The open pipeline.
    struct Line: Sendable {
        var stageCount: Int
        /// The configured context, or what the stages' KV can hold of it.
        var contextLength: Int
        var openedAt: Instant
        /// Whether rows have come back through it.
        var hasPassedToken = false
    }

    struct InFlightStep: Sendable {
        var step: Step
        var sentAt: Instant
        var isDecoding: Bool
        /// When a later step was answered. This one has failed then, of which there is news any moment, or it was lost.
        var overtakenAt: Instant?
    }

    public init(configuration: SchedulerConfiguration) { self.configuration = configuration }

    /// Whether there is a pipeline to send steps to.
    public var isOpen: Bool { line != nil }
    /// Requests that are running; the probe does not count.
    public var runningRequestCount: Int { running.count { $0.ticket != nil } }
    public var queuedRequestCount: Int { waiting.count }
    /// Both.
    public var openRequestCount: Int { runningRequestCount + queuedRequestCount }
    /// Requests that had begun and wait to be rebuilt.
    public var interruptedRequestCount: Int { waiting.count { $0.hasBegun } }
    /// Whether there was a pipeline and the next one does not serve yet.
    public var isInterrupted: Bool { outage != nil }
    /// Steps sent that have had no result.
    public var inFlightStepCount: Int { inFlight.count }
    /// KV promised to sequences that run, in tokens.
    public var reservedTokenCount: Int { budget.reservedBlockCount * KeyValueBudget.blockTokenCount }
    /// KV of the open pipeline, in tokens; 0 without one.
    public var keyValueTokenCapacity: Int { budget.tokenCapacity }
    /// Rows of the steps in flight but the oldest.
    var newerInFlightRowCount: Int { inFlight.dropFirst().reduce(0) { $0 + $1.step.rowCount } }
    /// Sampled tokens per second over the last ten seconds, those of probes left out.
    public func tokensPerSecond(at now: Instant) -> Double { tokenRate.perSecond(at: now) }

    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        let effects: [Effect]
        switch event {
        case .opened(let stageCount, let keyValueTokenCapacity):
            effects = open(stageCount: stageCount, keyValueTokenCapacity: keyValueTokenCapacity, at: now)
        case .closed(let reason, let isLoss):
            effects = close(because: reason, isLoss: isLoss, at: now)
        case .loading:
            noteLoading(at: now)
            effects = []
        case .submitted(let ticket, let work, let committed, let queuedElsewhereCount):
            effects = submit(
                RequestRecord(ticket: ticket, work: work, committed: committed),
                queuedElsewhereCount: queuedElsewhereCount)
        case .restored(let ticket, let work, let committed):
            effects = restore(RequestRecord(ticket: ticket, work: work, committed: committed), at: now)
        case .cancelled(let ticket):
            waiting.removeAll { $0.ticket == ticket }
            if let index = running.firstIndex(where: { $0.ticket == ticket }) {
                end(index, keepsPrefix: true, at: now)
            }
            effects = []
        case .result(let result):
            effects = take(result, at: now)
            switch effects.first {
            case .brokenResult?, .lost?: return effects
            default: break
            }
        case .stepFailed(let step, let error, let isRetryable):
            effects = fail(step, error, isRetryable: isRetryable, at: now)
            if case .lost? = effects.first { return effects }
        case .tick:
            if let stalled = stalled(at: now) { return [stalled] }
            effects = endOutage(at: now)
        }
        return effects + advance(at: now)
    }

    /// When `tick` has something to do next, if nothing else happens.
    public var nextDeadline: Instant? {
        guard let line else { return waiting.isEmpty ? nil : outageDeadline }
        guard budget.blockCount > 0 else { return nil }
        if inFlight.isEmpty { return idleSince(line).advanced(by: configuration.probeInterval) }
        return stallDeadline
    }

    func idleSince(_ line: Line) -> Instant { lastTokenPassedHereAt ?? line.openedAt }

    private mutating func open(stageCount: Int, keyValueTokenCapacity: Int, at now: Instant) -> [Effect] {
        budget = KeyValueBudget(tokenCapacity: keyValueTokenCapacity)
        let contextLength = min(configuration.contextLength, budget.tokenCapacity)
        line = Line(stageCount: max(1, stageCount), contextLength: contextLength, openedAt: now)
        outage = nil
        pace = Pace()
        lastStepNumber = 0
        lastProgressAt = now
        probe()
        let vocabularySize = configuration.vocabularySize
        return refuseWaiting { $0.problem(contextLength: contextLength, vocabularySize: vocabularySize) }
    }

    mutating func newSequence(_ request: RequestRecord) {
        lastSequenceNumber += 1
        let id = SequenceID(lastSequenceNumber)
        running.append(RunningSequence(request, id: id, blockCount: request.blockCount))
    }

    mutating func newStep(_ slices: [SequenceSlice], isDecoding: Bool, at now: Instant) -> Effect {
        lastStepNumber += 1
        let released = slices.isEmpty ? unreleased : releasedAlone + unreleased
        releasedAlone = slices.isEmpty ? releasedAlone + unreleased : []
        let step = Step(id: StepID(lastStepNumber), slices: slices, released: released)
        unreleased = []
        if !slices.isEmpty {
            if inFlight.isEmpty { lastProgressAt = now }
            inFlight.append(InFlightStep(step: step, sentAt: now, isDecoding: isDecoding))
        }
        return .send(step)
    }
}
