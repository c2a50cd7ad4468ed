import ClusterCore
import Foundation
import Kernels
import Logging
import Transport

/// Keeps streamed requests over a restart of the coordinator: an archive, and a file of what happened to it.
///
/// Used by one thread at a time. Where there is no file, as without a state folder or when the disk is full, the archive
/// holds for this process.
final class RequestJournal {
    /// What is known of a request that a client asks for.
    enum Known {
        case nothing
        /// It is under way, with these tokens so far.
        case open(Ticket, [TokenChoice])
        /// It was given up after these tokens.
        case idle([TokenChoice])
        case finished([TokenChoice], FinishReason)
    }

    private static let fileName = "requests.journal"
    /// The file is written anew when it has grown by so many bytes, and to more than twice what is needed.
    private static let growthByteCount = 8 << 20

    private var archive: RequestArchive
    private var file: JournalFile?
    private let lock: FileLock?
    private let limits: RequestArchive.Limits
    private let logger: Logger
    private let now: () -> Int
    private var compactedByteCount = 0
    private var lastTidying = 0
    /// Of requests that are under way.
    private var numbers: [Ticket: UInt32] = [:]
    private var tickets: [UInt32: Ticket] = [:]

    /// - Parameters:
    ///   - folder: where the file lies, made if it is not there; nil keeps nothing beyond this process.
    ///   - model: tells the model, and the settings that change its answers, from others: their streams are forgotten.
    ///   - now: seconds since 1970.
    /// - Throws: `CoordinatorError.system` if the folder cannot be used, or another coordinator uses it.
    init(
        folder: String?, model: String, limits: RequestArchive.Limits, logger: Logger,
        now: @escaping () -> Int = { Int(Date().timeIntervalSince1970) }
    ) throws(CoordinatorError) {
        (self.limits, self.logger, self.now) = (limits, logger, now)
        var archive = RequestArchive()
        guard let folder else {
            lock = nil
            self.archive = archive
            return
        }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .system("state: \(folder) cannot be made: \(error.localizedDescription); name another folder")
        }
        lock = FileLock(path: folder + "/lock", timeout: .seconds(2))
        guard lock != nil else {
            throw .system(
                "state: \(folder) is in use by another coordinator, or cannot be written; stop that one, or name another "
                    + "folder or cluster")
        }
        let path = folder + "/" + Self.fileName
        OutputFile.removeUnfinished(of: path)
        let writtenAt = try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
        do throws(JournalFile.Problem) {
            var brokenCount = 0
            let cutByteCount: Int
            (file, cutByteCount) = try JournalFile.open(path) { bytes in
                if let record = JournalRecord(bytes) { archive.apply(record) } else { brokenCount += 1 }
            }
            if cutByteCount > 0 || brokenCount > 0 {
                logger.warning(
                    "the journal was broken at its end",
                    metadata: ["bytes": "\(cutByteCount)", "records": "\(brokenCount)", "folder": "\(folder)"])
            }
        } catch {
            throw .system("state: \(error)")
        }
        self.archive = archive
        if !archive.model.isEmpty, archive.model != model {
            logger.warning("the model is another one than before; open streams are forgotten")
        }
        self.archive.apply(.model(model))
        finishImplied()
        if let writtenAt, now() - Int(writtenAt.timeIntervalSince1970) >= limits.keepSeconds { giveUpAll() }
        self.archive.tidy(limits, at: now())
        compact()
    }

    /// The newest epoch that was ever opened; 0 if none was.
    var lastEpoch: UInt64 { archive.lastEpoch }
    var drained: [NodeID] { archive.drained.compactMap { NodeID($0) } }

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

    func noteEpoch(_ epoch: Epoch) { write(.epoch(epoch.number)) }

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
        guard let file else { return }
        let bytes = record.bytes
        // What would not be read again is not written: all behind it would be lost.
        guard bytes.count <= JournalFile.maximumRecordByteCount else { return }
        do throws(JournalFile.Problem) { try file.append(bytes) } catch {
            logger.error(
                "nothing is written to the journal any more; streams do not outlive this coordinator",
                metadata: ["problem": "\(error)"])
            self.file = nil
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
        guard let file, file.byteCount > compactedByteCount * 2 + Self.growthByteCount else { return }
        compact()
    }

    private func compact() {
        guard let file else { return }
        do throws(JournalFile.Problem) {
            try file.compact(
                to: archive.records.map(\.bytes).filter { $0.count <= JournalFile.maximumRecordByteCount })
            compactedByteCount = file.byteCount
        } catch {
            logger.error("the journal cannot be written anew", metadata: ["problem": "\(error)"])
        }
    }
}
