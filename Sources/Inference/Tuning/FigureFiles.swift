import JSON
import Kernels
import Transport

/// Measured figures, kept from one start to the next: a small file for each set of them, in one folder.
///
/// What is wrong with a file, or of another machine, counts as nothing: the figures are then measured and the file
/// replaced.
struct FigureFiles {
    let folder: String

    /// Bytes; no file of ours has more.
    static let largestFile = 1 << 16

    /// Where the figures for a key are. Different keys may have the same path, so the file says which it is for.
    func path(_ key: String) -> String { "\(folder)/\(key.stableHash).json" }

    /// So many figures, all over 0; nil if they are not there.
    func figures(_ key: String, count: Int) -> [Double]? {
        guard let file = try? MappedFile(path: path(key)), file.byteCount <= Self.largestFile,
            let bytes = file.bytes(in: 0..<file.byteCount),
            let root = try? JSONDocument(
                parsing: bytes, limits: JSONLimits(maximumDepth: 4, maximumValueCount: 4096)
            ).root.value,
            root["key"]?.string == key, let values = root["figures"]?.elements, values.count == count
        else { return nil }
        var figures: [Double] = []
        for node in values {
            guard let figure = node.value.double, figure.isFinite, figure > 0 else { return nil }
            figures.append(figure)
        }
        return figures
    }

    /// Keeps figures in place of those that were there.
    func keep(_ figures: [Double], _ key: String) throws(OutputFileError) {
        var bytes = Array("{\"key\":".utf8) + JSONText.quoted(key)
        bytes += Array(",\"figures\":[".utf8)
        bytes += Array(figures.map { "\($0)" }.joined(separator: ",").utf8)
        bytes += Array("]}\n".utf8)
        try OutputFile.replace(path(key), with: bytes)
    }
}
