import ClusterCore
import Synchronization
import Transport
import ZeroMQ

/// What other threads and tasks have for the coordinator's thread. Bounded; a post wakes the thread.
final class Mailbox: Sendable {
    enum Mail: Sendable {
        case control(ControlArrival)
        /// What was sent over it found it closed.
        case closed(ConnectionID)
        /// These workers are known from now on, and no others.
        case allow([NodeKey])
        /// The sink hears of the request's end unless it is cancelled; `accepted` says whether it was let in.
        case submit(Ticket, Work, RequestSink, accepted: Reply<GenerationError?>)
        /// A request of a kept stream, which may be known already; `accepted` says by which ticket.
        case read(Ticket, GenerationRequest, EventBuffer, accepted: Reply<Result<Ticket, GenerationError>>)
        case keep(KeptStream)
        case keptStream(String, Reply<Result<KeptStream?, GenerationError>>)
        case health(Reply<ClusterHealth>)
        case measure(Reply<Result<Int, MeasuringRefusal>>)
        case planningInput(Reply<PlanningInput?>)
        /// The refusal, if it is not done.
        case operate(ClusterOperation, Reply<OperationRefusal?>)
    }

    /// Everything that came since it was last emptied.
    struct Contents {
        var mail: [Mail] = []
        var cancelled: [(ticket: Ticket, reader: ObjectIdentifier)] = []
        /// What the control plane failed with.
        var failure: String?
        var isStopped = false
    }

    static let limit = 4096

    let wake: WakeSignal
    private let contents = Mutex(Contents())

    init() throws(ZeroMQError) { wake = try WakeSignal() }

    /// False, and nothing changes, if it is full or no longer read.
    func post(_ mail: Mail) -> Bool {
        let (isPosted, wasEmpty) = contents.withLock { contents in
            guard !contents.isStopped, contents.mail.count < Self.limit else { return (false, false) }
            contents.mail.append(mail)
            return (true, contents.mail.count == 1)
        }
        if wasEmpty { wake.signal() }
        return isPosted
    }

    /// Never refused: there is one for each request at most, and requests are bounded.
    ///
    /// - Parameter reader: who gave it up. By then another one may read it.
    func cancel(_ ticket: Ticket, by reader: AnyObject) {
        let reader = ObjectIdentifier(reader)
        contents.withLock { if !$0.isStopped { $0.cancelled.append((ticket, reader)) } }
        wake.signal()
    }

    /// The control plane is gone, and the coordinator with it.
    func fail(_ reason: String) {
        contents.withLock { $0.failure = reason }
        wake.signal()
    }

    /// From now on nothing is taken.
    func stop() {
        contents.withLock { $0.isStopped = true }
        wake.signal()
    }

    func take() -> Contents {
        contents.withLock { contents in
            let taken = contents
            contents = Contents()
            contents.isStopped = taken.isStopped
            return taken
        }
    }
}

/// Where a request's events go.
enum RequestSink: RequestReading, Sendable {
    case generation(EventBuffer)
    case scoring(Reply<Result<ScoredText, GenerationError>>)

    /// Who reads them.
    var reader: AnyObject {
        switch self {
        case .generation(let buffer): buffer
        case .scoring(let reply): reply
        }
    }

    func take(_ event: GenerationEvent) {
        if case .generation(let buffer) = self { buffer.append(event) }
    }

    func take(_ text: ScoredText) {
        if case .scoring(let reply) = self { reply.answer(.success(text)) }
    }

    func fail(_ error: GenerationError) {
        switch self {
        case .generation(let buffer): buffer.fail(error)
        case .scoring(let reply): reply.answer(.failure(error))
        }
    }
}
