import Foundation
import Kernels

/// The file of a journal, in a folder that one coordinator uses at a time.
final class JournalDisk: JournalStorage {
    private static let fileName = "requests.journal"
    /// Longest file that is read, in bytes.
    private static let maximumByteCount = 1 << 30

    private let path: String
    private let lock: FileLock
    private var handle: FileHandle?

    /// Makes the folder if it is not there.
    ///
    /// - Throws: `JournalProblem` if the folder cannot be used, or another coordinator uses it.
    init(folder: String) throws(JournalProblem) {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw JournalProblem("\(folder) cannot be made: \(error.localizedDescription); name another folder")
        }
        guard let lock = FileLock(path: folder + "/lock", timeout: .seconds(2)) else {
            throw JournalProblem(
                "\(folder) is in use by another coordinator, or cannot be written; stop that one, or name another "
                    + "folder or cluster")
        }
        self.lock = lock
        path = folder + "/" + Self.fileName
        OutputFile.removeUnfinished(of: path)
    }

    var place: String { path }

    func read() throws(JournalProblem) -> StoredJournal? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let size = attributes?[.size] as? Int ?? 0
        guard size <= Self.maximumByteCount, let data = FileManager.default.contents(atPath: path) else {
            throw JournalProblem("\(path) cannot be read, or is too large; remove it: open streams are lost then")
        }
        let writtenAt = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        return StoredJournal(bytes: [UInt8](data), writtenAt: Int(writtenAt))
    }

    func append(_ bytes: [UInt8]) throws(JournalProblem) {
        try write { handle in
            let end = try handle.seekToEnd()
            do { try handle.write(contentsOf: Data(bytes)) } catch {
                // What was written of it would hide all that follows.
                try handle.truncate(atOffset: end)
                throw error
            }
        }
    }

    func cut(to byteCount: Int) throws(JournalProblem) {
        try write { try $0.truncate(atOffset: UInt64(byteCount)) }
    }

    func replace(with bytes: [UInt8]) throws(JournalProblem) {
        // The present one is of the file that is there before.
        handle = nil
        do throws(OutputFileError) { try OutputFile.replace(path, with: bytes, isPrivate: true) } catch {
            throw JournalProblem(error.description)
        }
    }

    private func write(_ body: (FileHandle) throws -> Void) throws(JournalProblem) {
        do {
            let handle = try handle ?? FileHandle(forWritingTo: URL(fileURLWithPath: path))
            self.handle = handle
            try body(handle)
        } catch {
            throw JournalProblem("\(path) cannot be written: \(error.localizedDescription)")
        }
    }
}
