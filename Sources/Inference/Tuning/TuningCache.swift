import JSON
import Kernels

/// Measured rates, kept from one load to the next: a small file for each machine and set of candidates.
///
/// What is wrong with a file, or of another machine, counts as nothing: rates are then measured and the file replaced.
struct TuningCache {
    let folder: String

    /// What rates depend on.
    struct Key {
        var cpu: String
        var instructionSet: InstructionSet
        var threadCount: Int
        var candidates: [KernelCandidate]
    }

    /// Changes when kernels do, so that they are measured anew.
    static let version = 1
    /// Bytes; no file of ours has more.
    static let largestFile = 1 << 16

    /// Where the rates for a key are. Different keys may have the same path, so the file says which it is for.
    func path(_ key: Key) -> String {
        // FNV-1a.
        let hash = key.text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return "\(folder)/\(String(repeating: "0", count: 16 - digits.count))\(digits).json"
    }

    /// The rates of all the key's candidates, in order; nil if they are not there.
    func rates(_ key: Key) -> [KernelRate]? {
        guard let file = try? MappedFile(path: path(key)), file.byteCount <= Self.largestFile,
            let bytes = file.bytes(in: 0..<file.byteCount),
            let root = try? JSONDocument(
                parsing: bytes, limits: JSONLimits(maximumDepth: 4, maximumValueCount: 4096)
            ).root.value,
            root["key"]?.string == key.text, let values = root["weights_per_second"]?.elements,
            values.count == key.candidates.count
        else { return nil }
        var rates: [KernelRate] = []
        for (candidate, node) in zip(key.candidates, values) {
            guard let rate = node.value.double, rate.isFinite, rate > 0 else { return nil }
            rates.append(KernelRate(candidate: candidate, weightsPerSecond: rate))
        }
        return rates
    }

    /// Keeps the rates of all the key's candidates.
    func keep(_ rates: [KernelRate], _ key: Key) throws(OutputFileError) {
        var bytes = Array("{\"key\":".utf8) + JSONText.quoted(key.text)
        bytes += Array(",\"weights_per_second\":[".utf8)
        bytes += Array(rates.map { "\($0.weightsPerSecond)" }.joined(separator: ",").utf8)
        bytes += Array("]}\n".utf8)
        try OutputFile.replace(path(key), with: bytes)
    }
}

extension TuningCache.Key {
    /// Such as `1; AMD EPYC; avx512; 2 threads; t2 2560 multiply; l3 2560 lookup`.
    fileprivate var text: String {
        let candidates = candidates.map { candidate in
            let groups = candidate.groupColumns.map { "/\($0)" } ?? ""
            return "\(candidate.layout.rawValue)\(groups) \(candidate.columns) \(candidate.kernel.rawValue)"
        }
        return (["\(TuningCache.version)", cpu, instructionSet.rawValue, "\(threadCount) threads"] + candidates)
            .joined(separator: "; ")
    }
}
