import ClusterCore
import Foundation
import Testing
import Transport

@testable import CoordinatorRuntime

/// A folder of a test's own.
private struct StateFolder: ~Copyable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("ryz-\(UUID().uuidString)").path
    var journalPath: String { path + "/requests.journal" }

    init() { try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A file in memory.
final class MemoryStorage: JournalStorage {
    var bytes: [UInt8]?
    /// How often everything was written anew, as what outlives a loss of power.
    var replaceCount = 0
    var isFull = false
    let place = "memory"

    init(_ bytes: [UInt8]? = nil) { self.bytes = bytes }

    func read() -> StoredJournal? { bytes.map { StoredJournal(bytes: $0, writtenAt: 0) } }
    func append(_ bytes: [UInt8]) throws(JournalProblem) {
        guard !isFull else { throw JournalProblem("memory is full") }
        self.bytes = (self.bytes ?? []) + bytes
    }
    func cut(to byteCount: Int) { bytes = bytes.map { Array($0.prefix(byteCount)) } }
    func replace(with bytes: [UInt8]) {
        self.bytes = bytes
        replaceCount += 1
    }
}

@Suite struct JournalFileTests {
    private func read(_ storage: any JournalStorage) throws -> (records: [[UInt8]], cut: Int) {
        var records: [[UInt8]] = []
        let (_, found) = try JournalFile.open(storage) { records.append(Array($0)) }
        return (records, found.cutByteCount)
    }

    private static let records: [[UInt8]] = [[1, 2, 3], [4], [UInt8](repeating: 7, count: 1000)]

    @Test(arguments: [false, true])
    func `records come back in order, also after it was written anew`(isOnDisk: Bool) throws {
        let folder = StateFolder()
        let storage: any JournalStorage = isOnDisk ? try JournalDisk(folder: folder.path) : MemoryStorage()
        var (file, _) = try JournalFile.open(storage) { _ in }
        for record in Self.records { try file.append(record) }
        #expect(try read(storage) == (Self.records, 0))
        try file.compact(to: [[9]])
        try file.append([10])
        #expect(try read(storage) == ([[9], [10]], 0))
        #expect(file.byteCount == (try storage.read()?.bytes.count))
    }

    @Test func `zeroes behind the last record are no records`() throws {
        let storage = MemoryStorage()
        var (file, _) = try JournalFile.open(storage) { _ in }
        for record in Self.records { try file.append(record) }
        storage.bytes? += [UInt8](repeating: 0, count: 4096)
        #expect(try read(storage) == (Self.records, 4096))
    }

    @Test func `the place stays this journal's when it cannot be written any more`() throws {
        weak var place: MemoryStorage?
        let journal: RequestJournal
        do {
            let storage = MemoryStorage()
            place = storage
            journal = try RequestJournal(storage: storage, model: "m", limits: .init(), now: { 0 })
            storage.isFull = true
        }
        journal.noteDrained(["a"].compactMap { NodeID($0) })
        #expect(place != nil)
        withExtendedLifetime(journal) {}
    }

    @Test func `what is broken at the end of the file on the disk is cut off there, and it goes on behind the rest`()
        throws
    {
        let folder = StateFolder()
        do {
            var (file, _) = try JournalFile.open(try JournalDisk(folder: folder.path)) { _ in }
            for record in Self.records { try file.append(record) }
        }
        let whole = try Data(contentsOf: URL(fileURLWithPath: folder.journalPath))
        try whole.dropLast(5).write(to: URL(fileURLWithPath: folder.journalPath))
        let disk = try JournalDisk(folder: folder.path)
        var (file, found) = try JournalFile.open(disk) { _ in }
        #expect(found.cutByteCount == 8 + 1000 - 5 && found.writtenAt != nil)
        try file.append([42])
        #expect(try read(disk) == ([[1, 2, 3], [4], [42]], 0))
    }

    @Test func `what is broken at the end is cut off, wherever it was torn, and the file goes on behind the rest`()
        throws
    {
        let storage = MemoryStorage()
        var (file, _) = try JournalFile.open(storage) { _ in }
        var ends = [file.byteCount]
        for record in Self.records {
            try file.append(record)
            ends.append(file.byteCount)
        }
        let whole = try #require(storage.bytes)
        for length in stride(from: ends[0], through: whole.count, by: 3) {
            let torn = MemoryStorage(Array(whole.prefix(length)))
            let count = ends.lastIndex { $0 <= length } ?? 0
            var (file, found) = try JournalFile.open(torn) { _ in }
            #expect(found.cutByteCount == length - ends[count])
            try file.append([42])
            #expect(try read(torn) == (Self.records.prefix(count) + [[42]], 0))
        }
    }

    @Test func `a flipped bit ends the file there`() throws {
        let storage = MemoryStorage()
        var (file, _) = try JournalFile.open(storage) { _ in }
        let start = file.byteCount
        for record in Self.records { try file.append(record) }
        let bytes = try #require(storage.bytes)
        for position in [start, start + 4, start + 8] {
            var flipped = bytes
            flipped[position] ^= 0x10
            let (records, cut) = try read(MemoryStorage(flipped))
            #expect(records.isEmpty && cut == bytes.count - start)
        }
    }

    @Test func `another file is not touched`() throws {
        let storage = MemoryStorage(Array("hello".utf8))
        #expect(throws: JournalProblem.self) { try JournalFile.open(storage) { _ in } }
        #expect(storage.bytes == Array("hello".utf8))
    }

    @Test func `the checksum is that of zlib`() {
        #expect(Checksum.crc32(Array("123456789".utf8)[...]) == 0xCBF4_3926)
    }
}

@Suite struct RequestJournalTests {
    private static func request(_ id: String, maximum: Int = 8) -> GenerationRequest {
        GenerationRequest(
            id: id, promptTokens: [1, 2, 3], maximumTokenCount: maximum,
            sampling: SamplingParameters(temperature: 0.8, seed: .max), stopTokens: [99])
    }

    private static let choices = [
        TokenChoice(token: 5), TokenChoice(token: -1, logProbability: -.infinity),
        TokenChoice(
            token: 7, logProbability: -0.25,
            top: [.init(token: 7, logProbability: -0.25), .init(token: 8, logProbability: -1)]),
    ]

    private func journal(
        _ folder: String?, model: String = "m", keepSeconds: Int = 300, streamCount: Int = 64,
        now: @escaping () -> Int = { 1_000_000 }
    ) throws -> RequestJournal {
        try RequestJournal(
            storage: try folder.map { try JournalDisk(folder: $0) }, model: model,
            limits: .init(keepSeconds: keepSeconds, streamCount: streamCount), now: now)
    }

    @Test func `every record comes back as it was`() {
        let records: [JournalRecord] =
            [
                .epoch(.max), .drained(["a", "b"]), .model("m"),
                .stream(KeptStream(id: "s", description: "{\"a\": 1}"), at: 3),
                .request(1, Self.request("s-0"), at: 4), .reused(1, tokenCount: 40), .state(1, .reachedLimit, at: 5),
            ] + Self.choices.map { .token(.max, $0) }
        for record in records { #expect(JournalRecord(record.bytes[...]) == record) }
        for bytes in [[], [0], [1, 2], [2, 0, 0, 0, 0], [3] + [UInt8](repeating: 0, count: 8)] as [[UInt8]] {
            #expect(JournalRecord(bytes[...]) == nil)
        }
    }

    @Test func `a request that was cut off goes on from its tokens, and one that ended can be read again`() throws {
        let folder = StateFolder()
        let now = { Int(Date().timeIntervalSince1970) }
        do {
            let journal = try journal(folder.path, now: now)
            journal.noteEpoch(Epoch(1 << 50))
            journal.noteDrained([try #require(NodeID("a"))])
            journal.keep(KeptStream(id: "s", description: "d"))
            for number in 0...3 { journal.begin(Self.request("s-\(number)"), Ticket(UInt64(number))) }
            journal.noteReused(2, for: Ticket(1))
            for choice in Self.choices {
                for number in 0...2 as ClosedRange<UInt64> { journal.commit(choice, to: Ticket(number)) }
            }
            journal.finish(Ticket(1), .length)
            journal.giveUp(Ticket(2))
            // Only the note that it has ended is missing.
            journal.commit(TokenChoice(token: 99), to: Ticket(3))
        }
        let journal = try journal(folder.path, now: now)
        #expect(journal.firstEpoch > Epoch(1 << 50))
        #expect(journal.drained.map(\.name) == ["a"])
        #expect(journal.stream("s") == KeptStream(id: "s", description: "d"))
        let restored = journal.restore { Ticket(10) }
        #expect(restored.map(\.request) == [Self.request("s-0")])
        #expect(restored.first?.committed == [5, -1, 7])
        #expect(["s-0", "s-1", "s-9"].map { journal.reusedTokenCount(of: $0) } == [0, 2, 0])
        guard case .open(Ticket(10), Self.choices) = journal.known("s-0"),
            case .finished(Self.choices, .length) = journal.known("s-1"),
            case .idle(Self.choices) = journal.known("s-2"),
            case .finished(_, .stop) = journal.known("s-3"), case .nothing = journal.known("s-4")
        else {
            Issue.record("not as it was before")
            return
        }
    }

    @Test func `no epoch is opened twice, whatever the clock says and whatever is lost that was not synced`() throws {
        func journal(_ storage: MemoryStorage, clock: UInt64) throws -> RequestJournal {
            try RequestJournal(
                storage: storage, model: "m", limits: .init(), clockEpoch: Epoch(clock), now: { 1_000_000 })
        }
        let storage = MemoryStorage()
        let first = try journal(storage, clock: 5000)
        #expect(first.firstEpoch == Epoch(5000))
        // What is there once an epoch has been noted is synced.
        for number in 5000...7500 as ClosedRange<UInt64> {
            let count = storage.replaceCount
            let bytes = storage.bytes?.count
            first.noteEpoch(Epoch(number))
            #expect(storage.replaceCount > count || storage.bytes?.count == bytes)
            guard number % 500 == 0 else { continue }
            #expect(try journal(MemoryStorage(storage.bytes), clock: 7).firstEpoch > Epoch(number))
        }
        #expect(storage.replaceCount < 6)
    }

    @Test func `two coordinators do not share a folder`() throws {
        let folder = StateFolder()
        let first = try journal(folder.path)
        #expect(throws: JournalProblem.self) { try journal(folder.path) }
        withExtendedLifetime(first) {}
    }

    @Test func `what has ended is kept for a while and up to a number, what is open for as long as it takes`() throws {
        var time = 0
        let journal = try journal(nil, keepSeconds: 100, streamCount: 2, now: { time })
        for number in 0...3 {
            time = number
            journal.keep(KeptStream(id: "s\(number)", description: ""))
            journal.begin(Self.request("s\(number)-0"), Ticket(UInt64(number)))
        }
        for number in 1...3 as ClosedRange<UInt64> {
            time = 10 + Int(number)
            journal.finish(Ticket(number), .stop)
        }
        #expect((0...3).map { journal.stream("s\($0)") != nil } == [true, false, true, true])
        time = 112
        journal.keep(KeptStream(id: "s4", description: ""))
        #expect((0...3).map { journal.stream("s\($0)") != nil } == [true, false, false, true])
        guard case .nothing = journal.known("s2-0"), case .open = journal.known("s0-0") else {
            Issue.record("requests outlive their streams, or do not last as long")
            return
        }
    }

    @Test func `streams that were refused push nothing out, and such of very much text are not kept`() throws {
        let folder = StateFolder()
        var time = 1
        do {
            let journal = try journal(folder.path, streamCount: 2, now: { time })
            journal.keep(KeptStream(id: "s", description: "d"))
            journal.begin(Self.request("s-0"), Ticket(0))
            journal.commit(TokenChoice(token: 5), to: Ticket(0))
            journal.giveUp(Ticket(0))
            for number in 1...5 as ClosedRange<UInt64> {
                time += 1
                journal.keep(KeptStream(id: "r\(number)", description: "d"))
                journal.begin(Self.request("r\(number)-0"), Ticket(number))
                journal.giveUp(Ticket(number))
            }
            time += 1
            let text = String(repeating: "x", count: RequestJournal.largestDescription + 1)
            journal.keep(KeptStream(id: "t", description: text))
            #expect(journal.stream("s") != nil && journal.stream("t") == nil)
        }
        let journal = try journal(folder.path, streamCount: 2, now: { time })
        #expect(journal.stream("s") != nil && (1...5).allSatisfy { journal.stream("r\($0)") == nil })
    }

    @Test func `requests of a coordinator that is long gone do not go on by themselves`() throws {
        let folder = StateFolder()
        let start = Int(Date().timeIntervalSince1970)
        do {
            let journal = try journal(folder.path, now: { start })
            journal.keep(KeptStream(id: "s", description: ""))
            journal.begin(Self.request("s-0"), Ticket(1))
        }
        #expect(try journal(folder.path, now: { start + 200 }).restore { Ticket(1) }.count == 1)
        #expect(try journal(folder.path, now: { start + 1000 }).restore { Ticket(1) }.isEmpty)
    }

    @Test func `what another model has begun is forgotten, but not who is drained`() throws {
        let folder = StateFolder()
        let now = { Int(Date().timeIntervalSince1970) }
        do {
            let journal = try journal(folder.path, now: now)
            journal.noteEpoch(Epoch(7))
            journal.noteDrained([try #require(NodeID("a"))])
            journal.keep(KeptStream(id: "s", description: ""))
            journal.begin(Self.request("s-0"), Ticket(1))
        }
        for model in ["other", "m"] {
            let journal = try journal(folder.path, model: model, now: now)
            #expect(journal.restore { Ticket(1) }.isEmpty && journal.stream("s") == nil)
            #expect(journal.firstEpoch > Epoch(7) && journal.drained.map(\.name) == ["a"])
        }
    }

    @Test func `streams that have ended take no more than so much memory`() throws {
        var archive = RequestArchive()
        let text = String(repeating: "x", count: 1000)
        for number in 1...10 { archive.apply(.stream(KeptStream(id: "s\(number)", description: text), at: number)) }
        archive.tidy(.init(keepSeconds: 100, streamCount: 100, byteCount: 3500), at: 10)
        #expect((1...10).filter { archive.stream("s\($0)") != nil } == [8, 9, 10])
    }
}
