import Foundation
import Kernels

/// A new folder that appears whole or not at all: it is filled under another name beside its place and renamed at the
/// end. What was not finished is removed, unless the process itself is killed; then a folder `NAME.unfinished-…` stays.
struct OutputFolder: ~Copyable {
    /// Where it is to be.
    let path: String
    private let unfinishedPath: String
    private var isFinished: Bool

    /// Makes the unfinished folder. Throws `.output` if something is at `path` already, the folder above is missing, or
    /// the disk has less than `byteCount` bytes free.
    init(path: String, byteCount: Int) throws(ModelToolError) {
        (self.path, unfinishedPath) = try Self.make(path, byteCount: byteCount)
        isFinished = false
    }

    private static func make(
        _ given: String, byteCount: Int
    ) throws(ModelToolError) -> (path: String, unfinishedPath: String) {
        var path = given
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        let files = FileManager.default
        guard !files.fileExists(atPath: path) else {
            throw .output("\(path): it exists already; give another path, or remove it first")
        }
        let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let attributes = try? files.attributesOfFileSystem(forPath: parent)
        if let free = (attributes?[.systemFreeSize] as? NSNumber)?.int64Value, free < Int64(byteCount) {
            throw .output(
                "\(path): \(byteCount) bytes are needed, but the disk has \(free) free; free some, or give another disk"
            )
        }
        let unfinishedPath = path + ".unfinished-\(ProcessInfo.processInfo.processIdentifier)"
        do {
            try files.createDirectory(atPath: unfinishedPath, withIntermediateDirectories: false)
        } catch {
            throw .output("\(path): the folder cannot be made: \(reason(error)); check the folder above it")
        }
        return (path, unfinishedPath)
    }

    deinit {
        if !isFinished { try? FileManager.default.removeItem(atPath: unfinishedPath) }
    }

    /// A new file in it. Call `synchronise` when it is complete.
    func makeFile(_ name: String) throws(ModelToolError) -> OutputFile {
        do throws(OutputFileError) {
            return try OutputFile(creating: unfinishedPath + "/" + name)
        } catch {
            throw .output(error.description)
        }
    }

    /// Writes a whole small file.
    func write(_ bytes: [UInt8], to name: String) throws(ModelToolError) {
        var file = try makeFile(name)
        do throws(OutputFileError) {
            try file.write(bytes)
            try file.synchronise()
        } catch {
            throw .output(error.description)
        }
    }

    /// Puts the folder in its place.
    mutating func finish() throws(ModelToolError) {
        do {
            try FileManager.default.moveItem(atPath: unfinishedPath, toPath: path)
        } catch {
            throw .output("\(path): the finished folder cannot be renamed to it: \(Self.reason(error))")
        }
        isFinished = true
    }

    private static func reason(_ error: any Error) -> String {
        let error = error as NSError
        let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError
        return (underlying ?? error).localizedDescription
    }
}
