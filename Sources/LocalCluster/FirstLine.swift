import Foundation

/// Reads the first line of a child's output.
enum FirstLine {
    /// The line without its end; nil if the output ends first or the line is too long.
    ///
    /// The reading thread ends with the child, if not before.
    static func read(from pipe: Pipe, maximumByteCount: Int) async -> String? {
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        let thread = Thread {
            var bytes = Data()
            while bytes.count < maximumByteCount {
                guard let part = try? pipe.fileHandleForReading.read(upToCount: 1), !part.isEmpty else { break }
                if part[part.startIndex] == UInt8(ascii: "\n") {
                    continuation.yield(String(decoding: bytes, as: UTF8.self))
                    break
                }
                bytes += part
            }
            continuation.finish()
        }
        thread.name = "first-line"
        thread.start()
        return await lines.first { _ in true }
    }
}
