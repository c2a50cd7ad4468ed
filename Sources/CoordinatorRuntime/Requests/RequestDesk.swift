import ClusterCore

/// Whom what comes of a request goes to.
package protocol RequestReading {
    /// Who reads it: of two with the same ticket the one who came last counts.
    var reader: AnyObject { get }
    func take(_ event: GenerationEvent)
    func take(_ text: ScoredText)
    func fail(_ error: GenerationError)
}

/// Where clients hand in requests and read what comes of them: knows who reads what, and has the journal keep what is
/// streamed.
///
/// Every token is in the journal before anyone is told of it. A request that is read again begins with what it has
/// sampled, perhaps under a coordinator before this one, and goes on from there. Used by one thread at a time.
package struct RequestDesk<Sink: RequestReading> {
    /// What a request that is read leads to.
    package enum Reading: Equatable {
        /// It is known by this ticket, under way or over: nothing is to be done.
        case known(Ticket)
        /// The cores are to be given it, with these tokens that it has sampled before.
        case begun(committed: [Int32])
    }

    /// A request that goes on after a restart.
    package struct Restored {
        package var ticket: Ticket
        package var request: GenerationRequest
        package var committed: [Int32]
    }

    /// Far beyond those that are given to requests in their order.
    private static var firstRestoredTicket: UInt64 { 1 << 63 }

    package let journal: RequestJournal
    private var sinks: [Ticket: Sink] = [:]

    package init(journal: RequestJournal) { self.journal = journal }

    /// The requests of the coordinator before this one, which nobody reads yet. To be called once, before all else.
    package mutating func restore() -> [Restored] {
        var count: UInt64 = 0
        return journal.restore {
            defer { count += 1 }
            return Ticket(Self.firstRestoredTicket + count)
        }.map { Restored(ticket: $0.ticket, request: $0.request, committed: $0.committed) }
    }

    // MARK: Clients

    package func keep(_ stream: KeptStream) { journal.keep(stream) }

    package func stream(_ id: String) -> KeptStream? { journal.stream(id) }

    /// A request that cannot be read again is to be given to the cores.
    package mutating func submit(_ ticket: Ticket, _ sink: Sink) { sinks[ticket] = sink }

    /// Gives a client all that a request of a kept stream has sampled, and from then on what follows.
    ///
    /// - Parameter ticket: what the request is called by if it is not under way.
    package mutating func read(_ request: GenerationRequest, _ ticket: Ticket, _ sink: Sink) -> Reading {
        let known = journal.known(request.id)
        let reusedTokenCount = journal.reusedTokenCount(of: request.id)
        if reusedTokenCount > 0 { sink.take(.reused(tokenCount: reusedTokenCount)) }
        for choice in known.choices { sink.take(.token(choice)) }
        switch known {
        case .finished(_, let reason):
            sink.take(.finished(reason))
            return .known(ticket)
        case .open(let ticket, _):
            // One reader at a time: the one that came last is the one that is still there.
            sinks.updateValue(sink, forKey: ticket)?
                .fail(.unavailable("the stream is read over another connection"))
            return .known(ticket)
        case .nothing, .idle:
            sinks[ticket] = sink
            journal.begin(request, ticket)
            return .begun(committed: known.choices.map(\.token))
        }
    }

    /// The cores did not let in what was just submitted or read.
    package mutating func refuse(_ ticket: Ticket) {
        journal.giveUp(ticket)
        sinks[ticket] = nil
    }

    /// A reader has gone. Whether the cores are to give the request up: not if another one has come for it meanwhile.
    package mutating func leave(_ ticket: Ticket, by reader: ObjectIdentifier) -> Bool {
        guard let sink = sinks[ticket], ObjectIdentifier(sink.reader) == reader else { return false }
        refuse(ticket)
        return true
    }

    // MARK: Cores

    /// Does what the cores say of requests, and notes what the journal has to keep; false if it is about something else.
    package mutating func take<Connection>(_ effect: CoordinatorCore<Connection>.Effect) -> Bool {
        switch effect {
        case .reused(let ticket, let tokenCount):
            journal.noteReused(tokenCount, for: ticket)
            sinks[ticket]?.take(.reused(tokenCount: tokenCount))
        case .token(let ticket, let choice):
            journal.commit(choice, to: ticket)
            sinks[ticket]?.take(.token(choice))
        case .finished(let ticket, let reason):
            journal.finish(ticket, reason)
            sinks.removeValue(forKey: ticket)?.take(.finished(reason))
        case .scored(let ticket, let text):
            sinks.removeValue(forKey: ticket)?.take(text)
        case .failed(let ticket, let error):
            journal.giveUp(ticket)
            sinks.removeValue(forKey: ticket)?.fail(error)
        case .answer, .connect, .sendStep, .notice, .shutDown: return false
        }
        return true
    }

    /// Notes what has to outlive this coordinator besides requests. To be called before the notice's own effects.
    package func take(_ notice: Notice) {
        if case .epochOpened(let pipeline, _) = notice { journal.noteEpoch(pipeline.epoch) }
    }

    /// Notes which workers are to hold nothing.
    package func noteDrained<Connection>(by core: CoordinatorCore<Connection>) { journal.noteDrained(core.drained) }

    /// The coordinator ends: nobody hears of anything any more. What is kept is not given up.
    package mutating func close(_ error: GenerationError) {
        for ticket in sinks.keys.sorted() { sinks[ticket]?.fail(error) }
        sinks = [:]
    }
}
