/// Where a journal's bytes lie: a file, or what stands for one in a simulation.
package protocol JournalStorage: AnyObject {
    /// What people call it.
    var place: String { get }
    /// What is there; nil if nothing was ever written.
    func read() throws(JournalProblem) -> StoredJournal?
    /// Appends bytes. They outlive this process when it returns, but perhaps not a loss of power. If it throws, none of them
    /// are there.
    func append(_ bytes: [UInt8]) throws(JournalProblem)
    /// Drops what is behind so many bytes.
    func cut(to byteCount: Int) throws(JournalProblem)
    /// Puts these bytes in the place of all that is there. They outlive a loss of power when it returns; whatever happens
    /// meanwhile, the old or the new ones are there.
    func replace(with bytes: [UInt8]) throws(JournalProblem)
}

/// What was found where a journal lies.
package struct StoredJournal {
    package var bytes: [UInt8]
    /// In seconds since 1970.
    package var writtenAt: Int

    package init(bytes: [UInt8], writtenAt: Int) {
        self.bytes = bytes
        self.writtenAt = writtenAt
    }
}

/// Why a journal cannot be read or written.
package struct JournalProblem: Error, CustomStringConvertible {
    /// The place, what is wrong with it, and what helps.
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// Records that are appended, each with its length and a checksum.
///
/// A record is in the hands of the operating system when `append` returns: it outlives this process, however that ends,
/// but not a loss of power within the time that the system takes to write it to the disk (Linux: some 30 s). What is
/// broken at the end, as by such a loss, is cut off when the file is opened.
struct JournalFile {
    private let storage: any JournalStorage
    /// Bytes in the file.
    private(set) var byteCount: Int

    /// What was found when a file was opened.
    struct Found {
        /// Bytes at the end that were of no use and are cut off.
        var cutByteCount = 0
        /// See `StoredJournal.writtenAt`; nil if there was no file.
        var writtenAt: Int?
    }

    /// Opens or makes a file.
    ///
    /// - Parameter take: is given each whole record, in order.
    static func open(
        _ storage: any JournalStorage, _ take: (ArraySlice<UInt8>) -> Void
    ) throws(JournalProblem) -> (file: JournalFile, found: Found) {
        let stored = try storage.read()
        guard let stored, !stored.bytes.isEmpty else {
            let bytes = JournalFormat.file(of: [])
            try storage.replace(with: bytes)
            return (JournalFile(storage: storage, byteCount: bytes.count), Found(writtenAt: stored?.writtenAt))
        }
        guard let end = JournalFormat.read(stored.bytes, take) else {
            throw JournalProblem(
                "\(storage.place) is not a journal of this release; remove it, or name another state folder")
        }
        if end < stored.bytes.count { try storage.cut(to: end) }
        return (
            JournalFile(storage: storage, byteCount: end),
            Found(cutByteCount: stored.bytes.count - end, writtenAt: stored.writtenAt)
        )
    }

    mutating func append(_ record: [UInt8]) throws(JournalProblem) {
        let bytes = JournalFormat.framed(record)
        try storage.append(bytes)
        byteCount += bytes.count
    }

    /// Makes the file one of these records only, for good: see `JournalStorage.replace`.
    mutating func compact(to records: [[UInt8]]) throws(JournalProblem) {
        let bytes = JournalFormat.file(of: records)
        try storage.replace(with: bytes)
        byteCount = bytes.count
    }
}
