public import Checkpoints
import Kernels

/// A copy of a model's files in which everything is zeros but what the model is opened with and some ranges, as in the
/// holes of a sparse file.
public final class PartialCopy {
    public let model: ModelFile
    public let keptByteCount: Int
    private let folder: TemporaryFolder

    public init(_ original: ModelFile, keeping ranges: [ModelByteRange]) throws {
        folder = try TemporaryFolder()
        var keptByteCount = 0
        for part in original.parts {
            let whole = part.file.bytes(in: 0..<part.file.byteCount) ?? []
            var bytes = [UInt8](repeating: 0, count: whole.count)
            let own = ranges.filter { $0.file === part.file }.map(\.bytes)
            for range in Set(part.openingRanges + own) {
                bytes.replaceSubrange(range, with: whole[range])
                keptByteCount += range.count
            }
            try folder.write(bytes, part.name)
        }
        self.keptByteCount = keptByteCount
        let isFolder = original.parts.count > 1
        model = try ModelFile(path: isFolder ? folder.path : "\(folder.path)/\(original.parts[0].name)")
    }
}
