import Crypto
import Kernels

/// SHA-256 over what describes a model, by which nodes tell whether they have the same one.
enum HeaderDigest {
    /// Of everything before the tensor data.
    static func of(_ gguf: GGUFFile) -> [UInt8] {
        var hash = SHA256()
        update(&hash, gguf.file, byteCount: gguf.headerByteCount)
        return Array(hash.finalize())
    }

    /// Of the whole files beside the tiles, and of the tiles' header, which has the scales of ternary matrices, too.
    static func of(_ converted: ConvertedModel) -> [UInt8] {
        switch converted.origin {
        case .folder(let folder): return of(folder, weights: [converted.tiles])
        case .gguf(let gguf):
            var hash = SHA256()
            update(&hash, name: ConvertedModel.headerName, byteCount: gguf.file.byteCount)
            update(&hash, gguf.file, byteCount: gguf.file.byteCount)
            update(&hash, name: ConvertedModel.tilesName, byteCount: converted.tiles.file.byteCount)
            update(&hash, converted.tiles.file, byteCount: converted.tiles.headerByteCount)
            return Array(hash.finalize())
        // A converted model comes of one of the others: `ConvertedModel.init`.
        case .converted: return []
        }
    }

    /// Of the whole files beside the weights, and of the weights' headers; of each with its name and size before it, so
    /// that no two folders give the same bytes.
    static func of(_ folder: CheckpointFolder, weights: [SafeTensorsFile]) -> [UInt8] {
        var hash = SHA256()
        for name in folder.companionNames {
            guard let file = folder.file(name) else { continue }
            update(&hash, name: name, byteCount: file.byteCount)
            update(&hash, file, byteCount: file.byteCount)
        }
        for weight in weights {
            let name = weight.file.path.split(separator: "/").last.map(String.init) ?? ""
            update(&hash, name: name, byteCount: weight.file.byteCount)
            update(&hash, weight.file, byteCount: weight.headerByteCount)
        }
        return Array(hash.finalize())
    }

    private static func update(_ hash: inout SHA256, name: String, byteCount: Int) {
        hash.update(data: Array("\(name) \(byteCount)\n".utf8))
    }

    private static func update(_ hash: inout SHA256, _ file: MappedFile, byteCount: Int) {
        let chunk = 1 << 20
        for start in stride(from: 0, to: byteCount, by: chunk) {
            hash.update(data: file.bytes(in: start..<min(start + chunk, byteCount)) ?? [])
        }
    }
}
