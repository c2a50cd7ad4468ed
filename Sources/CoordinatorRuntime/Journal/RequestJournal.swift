import ClusterCore
import Transport

/// Something about the journal that an operator may want to know of.
package enum JournalNotice {
    /// What was found at the end of the file and could not be used.
    case brokenEnd(byteCount: Int, recordCount: Int)
    /// What it has is of another model, and is forgotten.
    case otherModel
    /// Nothing is written any more: streams do not outlive this coordinator.
    case notWritten(JournalProblem)
    case notCompacted(JournalProblem)
}

/// Keeps streamed requests over a restart of the coordinator: an archive, and a file of what happened to it.
///
/// Used by one thread at a time. Where there is no file, as without a state folder or when the disk is full, the archive
/// holds for this process.
package final class RequestJournal {
    /// What is known of a request that a client asks for.
    enum Known {
        case nothing
        /// It is under way, with these tokens so far.
        case open(Ticket, [TokenChoice])
        /// It was given up after these tokens.
        case idle([TokenChoice])
        case finished([TokenChoice], FinishReason)

        var choices: [TokenChoice] {
            switch self {
            case .nothing: []
            case .open(_, let choices), .idle(let choices), .finished(let choices, _): choices
            }
        }
    }

    /// How many epochs are written down ahead of those that are opened. They are on the disk before the first of them is,
    /// so that none is counted twice after a loss of power, whatever the clock says then.
    static let reservedEpochCount: UInt64 = 1000

    private var archive: RequestArchive
    /// Nil as soon as something could not be written.
    private var file: JournalFile?
    /// Keeps the place of the file from other coordinators, also when nothing is written any more.
    private let storage: (any JournalStorage)?
    private let limits: RequestArchive.Limits
    private let now: () -> Int
    private let report: (JournalNotice) -> Void
    private var compactedByteCount = 0
    private var lastTidying = 0
    /// Of requests that are under way.
    private var numbers: [Ticket: UInt32] = [:]
    private var tickets: [UInt32: Ticket] = [:]
    /// The first epoch that may be opened: over all that were before.
    package let firstEpoch: Epoch

    /// - Parameters:
    ///   - storage: where the file lies; nil keeps nothing beyond this process.
    ///   - model: tells the model, and the settings that change its answers, from others: their streams are forgotten.
    ///   - clockEpoch: the first epoch to open by the clock, which may have been set back.
    ///   - now: seconds since 1970.
    /// - Throws: `JournalProblem` if the file cannot be used.
    package init(
        storage: (any JournalStorage)?, model: String, limits: RequestArchive.Limits, clockEpoch: Epoch = Epoch(1),
        now: @escaping () -> Int, report: @escaping (JournalNotice) -> Void = { _ in }
    ) throws(JournalProblem) {
        (self.limits, self.now, self.report, self.storage) = (limits, now, report, storage)
        var archive = RequestArchive()
        var writtenAt: Int?
        if let storage {
            var brokenCount = 0
            let (file, found) = try JournalFile.open(storage) { bytes in
                if let record = JournalRecord(bytes) { archive.apply(record) } else { brokenCount += 1 }
            }
            self.file = file
            writtenAt = found.writtenAt
            if found.cutByteCount > 0 || brokenCount > 0 {
                report(.brokenEnd(byteCount: found.cutByteCount, recordCount: brokenCount))
            }
        }
        firstEpoch = max(clockEpoch, Epoch(archive.lastEpoch &+ 1))
        self.archive = archive
        guard storage != nil else { return }
        if !archive.model.isEmpty, archive.model != model { report(.otherModel) }
        self.archive.apply(.model(model))
        finishImplied()
        if let writtenAt, now() - writtenAt >= limits.keepSeconds { giveUpAll() }
        self.archive.tidy(limits, at: now())
        reserveEpochs(from: firstEpoch)
    }

    package var drained: [NodeID] { archive.drained.compactMap { NodeID($0) } }

    /// Requests that were open when the coordinator before this one ended, each with the ticket that it has from now on.
    ///
    /// - Parameter newTicket: makes tickets.
    func restore(_ newTicket: () -> Ticket) -> [(ticket: Ticket, request: GenerationRequest, committed: [Int32])] {
        archive.openRequests.map { request in
            let ticket = newTicket()
            note(ticket, request.number)
            return (ticket, request.request, request.choices.map(\.token))
        }
    }

    /// To be called before anyone is told of an epoch that is opened.
    func noteEpoch(_ epoch: Epoch) {
        if epoch.number > archive.lastEpoch { reserveEpochs(from: epoch) }
    }

    private func reserveEpochs(from epoch: Epoch) {
        let last = JournalRecord.epoch(epoch.number &+ (Self.reservedEpochCount - 1))
        archive.apply(last)
        // As a record that is appended it outlives this process, at least.
        if file != nil, !compact() { write(last) }
    }

    func noteDrained(_ nodes: [NodeID]) {
        let names = nodes.map(\.name)
        if names != archive.drained { write(.drained(names)) }
    }

    /// Streams of more text than that are not kept: they cannot be read again.
    static let largestDescription = 1 << 20

    func keep(_ stream: KeptStream) {
        tidyIfDue()
        guard stream.description.utf8.count <= Self.largestDescription else { return }
        write(.stream(stream, at: now()))
    }

    func stream(_ id: String) -> KeptStream? { archive.stream(id) }

    func known(_ requestID: String) -> Known {
        guard let request = archive[requestID] else { return .nothing }
        if let reason = request.finishReason { return .finished(request.choices, reason) }
        if request.state == .open, let ticket = tickets[request.number] { return .open(ticket, request.choices) }
        return .idle(request.choices)
    }

    /// A request is let in, for the first time or again.
    func begin(_ request: GenerationRequest, _ ticket: Ticket) {
        if let known = archive[request.id] {
            write(.state(known.number, .open, at: now()))
            note(ticket, known.number)
        } else {
            let number = archive.nextNumber
            write(.request(number, request, at: now()))
            note(ticket, number)
        }
    }

    /// How many tokens were not computed for a request, as a client was told; 0 if it is not known.
    func reusedTokenCount(of requestID: String) -> Int { archive[requestID]?.reusedTokenCount ?? 0 }

    func noteReused(_ tokenCount: Int, for ticket: Ticket) {
        if let number = numbers[ticket] { write(.reused(number, tokenCount: tokenCount)) }
    }

    /// To be called before anyone is told of the token.
    func commit(_ choice: TokenChoice, to ticket: Ticket) {
        if let number = numbers[ticket] { write(.token(number, choice)) }
    }

    func finish(_ ticket: Ticket, _ reason: FinishReason) {
        end(ticket, reason == .stop ? .stopped : .reachedLimit)
    }

    /// The request was given up or has failed. It can be taken up again.
    func giveUp(_ ticket: Ticket) { end(ticket, .idle) }

    private func end(_ ticket: Ticket, _ state: JournalRecord.RequestState) {
        guard let number = numbers.removeValue(forKey: ticket) else { return }
        tickets[number] = nil
        write(.state(number, state, at: now()))
        tidyIfDue()
    }

    private func note(_ ticket: Ticket, _ number: UInt32) {
        numbers[ticket] = number
        tickets[number] = ticket
    }

    private func write(_ record: JournalRecord) {
        archive.apply(record)
        guard file != nil else { return }
        let bytes = record.bytes
        // What would not be read again is not written: all behind it would be lost.
        guard bytes.count <= JournalFormat.maximumRecordByteCount else { return }
        do throws(JournalProblem) { try file?.append(bytes) } catch {
            report(.notWritten(error))
            file = nil
        }
    }

    /// The last record of a request may be missing.
    private func finishImplied() {
        for request in archive.openRequests where request.impliedState != .open {
            archive.apply(.state(request.number, request.impliedState, at: request.touchedAt))
        }
    }

    /// No coordinator was there for so long that nobody waits for them any more.
    private func giveUpAll() {
        for request in archive.openRequests { archive.apply(.state(request.number, .idle, at: request.touchedAt)) }
    }

    private func tidyIfDue() {
        guard now() != lastTidying else { return }
        lastTidying = now()
        archive.tidy(limits, at: lastTidying)
        guard let file, file.byteCount > compactedByteCount * 2 + limits.growthByteCount else { return }
        compact()
    }

    @discardableResult
    private func compact() -> Bool {
        do throws(JournalProblem) {
            try file?.compact(
                to: archive.records.map(\.bytes).filter { $0.count <= JournalFormat.maximumRecordByteCount })
            compactedByteCount = file?.byteCount ?? 0
            return true
        } catch {
            report(.notCompacted(error))
            return false
        }
    }
}
