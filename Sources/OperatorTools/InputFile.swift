import Foundation

/// Files that the operator names.
public enum InputFile {
    /// Longer files are refused before they are read.
    public static let maximumByteCount = 256 << 20

    /// The bytes of a file; `-` is standard input.
    public static func bytes(
        _ path: String, maximumByteCount: Int = InputFile.maximumByteCount
    ) throws(InputError) -> [UInt8] {
        let data: Data
        do {
            let handle =
                path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            data = try handle.read(upToCount: maximumByteCount + 1) ?? Data()
        } catch {
            throw .unreadable(path: path, reason: reason(error))
        }
        guard data.count <= maximumByteCount else { throw .tooLarge(path: path, limitByteCount: maximumByteCount) }
        return Array(data)
    }

    /// The text of a file, unchanged.
    public static func text(
        _ path: String, maximumByteCount: Int = InputFile.maximumByteCount
    ) throws(InputError) -> String {
        guard let text = String(validating: try bytes(path, maximumByteCount: maximumByteCount), as: UTF8.self) else {
            throw .notUTF8(path: path)
        }
        return text
    }

    private static func reason(_ error: any Error) -> String {
        let error = error as NSError
        let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError
        return (underlying ?? error).localizedDescription
    }
}
