import ClusterCore
import Testing
import Transport

@testable import CoordinatorRuntime

/// Notes what it gets.
private final class Reader: RequestReading {
    var events: [GenerationEvent] = []
    var error: GenerationError?
    /// Called before an event is noted.
    var witness: () -> Void = {}

    var reader: AnyObject { self }
    var tokens: [Int32] { events.compactMap { if case .token(let choice) = $0 { choice.token } else { nil } } }

    func take(_ event: GenerationEvent) {
        witness()
        events.append(event)
    }
    func take(_ text: ScoredText) {}
    func fail(_ error: GenerationError) { self.error = error }
}

@Suite struct RequestDeskTests {
    private typealias Effect = CoordinatorCore<Int>.Effect

    private static let request = GenerationRequest(
        id: "s-0", promptTokens: [1, 2, 3], maximumTokenCount: 8, sampling: SamplingParameters(temperature: 0),
        stopTokens: [])

    private func desk(_ storage: MemoryStorage? = nil) throws -> RequestDesk<Reader> {
        RequestDesk(
            journal: try RequestJournal(storage: storage, model: "m", limits: .init(), now: { 0 }))
    }

    private func token(_ ticket: Ticket, _ token: Int32) -> Effect { .token(ticket, TokenChoice(token: token)) }

    @Test func `a token is in the journal before anyone is told of it, and there after a restart`() throws {
        let storage = MemoryStorage()
        var desk = try desk(storage)
        let reader = Reader()
        desk.keep(KeptStream(id: "s", description: ""))
        let begun = desk.read(Self.request, Ticket(1), reader)
        #expect(begun == .begun(committed: []))
        for value in 10...12 as ClosedRange<Int32> {
            reader.witness = {
                let after = try? RequestJournal(
                    storage: MemoryStorage(storage.bytes), model: "m", limits: .init(), now: { 0 })
                #expect(after?.known("s-0").choices.last?.token == value)
            }
            let isTaken = desk.take(token(Ticket(1), value))
            #expect(isTaken)
        }
        #expect(reader.tokens == [10, 11, 12])
        var next = try self.desk(storage)
        let all = next.restore()
        let restored = try #require(all.first)
        #expect(restored.request == Self.request && restored.committed == [10, 11, 12])
        let other = Reader()
        let reading = next.read(Self.request, Ticket(1), other)
        #expect(reading == .known(restored.ticket))
        _ = next.take(token(restored.ticket, 13))
        _ = next.take(Effect.finished(restored.ticket, .length))
        #expect(other.tokens == [10, 11, 12, 13] && other.events.last == .finished(.length))
    }

    @Test func `who came last reads on, and who went before gives nothing up`() throws {
        var desk = try desk()
        let first = Reader(), second = Reader(), third = Reader()
        desk.keep(KeptStream(id: "s", description: ""))
        let begun = desk.read(Self.request, Ticket(1), first)
        #expect(begun == .begun(committed: []))
        _ = desk.take(token(Ticket(1), 10))
        let reading = desk.read(Self.request, Ticket(2), second)
        #expect(reading == .known(Ticket(1)))
        #expect(first.error != nil)
        let firstCounts = desk.leave(Ticket(1), by: ObjectIdentifier(first))
        #expect(!firstCounts)
        _ = desk.take(token(Ticket(1), 11))
        #expect(first.tokens == [10] && second.tokens == [10, 11])
        let secondCounts = desk.leave(Ticket(1), by: ObjectIdentifier(second))
        #expect(secondCounts)
        // It is taken up again with what it had.
        let again = desk.read(Self.request, Ticket(3), third)
        #expect(again == .begun(committed: [10, 11]))
        #expect(third.tokens == [10, 11])
    }

    @Test func `what is refused or fails is given up, and the reader of what fails is told`() throws {
        var desk = try desk()
        let reader = Reader()
        _ = desk.read(Self.request, Ticket(1), reader)
        desk.refuse(Ticket(1))
        _ = desk.take(Effect.failed(Ticket(1), .shuttingDown))
        #expect(reader.error == nil)
        _ = desk.read(Self.request, Ticket(2), reader)
        _ = desk.take(Effect.failed(Ticket(2), .shuttingDown))
        #expect(reader.error == .shuttingDown)
        guard case .idle([]) = desk.journal.known("s-0") else {
            Issue.record("it is not given up")
            return
        }
        let isTaken = desk.take(Effect.shutDown)
        #expect(!isTaken)
    }
}
