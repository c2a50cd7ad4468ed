import Kernels

/// Measured rates of kernels, kept from one load to the next: a file for each machine and set of candidates.
struct TuningCache {
    private let files: FigureFiles

    init(folder: String) { files = FigureFiles(folder: folder) }

    var folder: String { files.folder }

    /// What rates depend on.
    struct Key {
        var cpu: String
        var instructionSet: InstructionSet
        var threadCount: Int
        var candidates: [KernelCandidate]
    }

    /// Changes when kernels do, so that they are measured anew.
    static let version = 3

    /// Where the rates for a key are.
    func path(_ key: Key) -> String { files.path(key.text) }

    /// The rates of all the key's candidates, in order; nil if they are not there.
    func rates(_ key: Key) -> [KernelRate]? {
        files.figures(key.text, count: key.candidates.count).map { figures in
            zip(key.candidates, figures).map { KernelRate(candidate: $0, weightsPerSecond: $1) }
        }
    }

    /// Keeps the rates of all the key's candidates.
    func keep(_ rates: [KernelRate], _ key: Key) throws(OutputFileError) {
        try files.keep(rates.map(\.weightsPerSecond), key.text)
    }
}

extension TuningCache.Key {
    /// Such as `3; AMD EPYC; avx512; 2 threads; t2 2560 multiply far; l3 2560 lookup hardware`.
    fileprivate var text: String {
        let candidates = candidates.map { candidate in
            let groups = candidate.groupColumns.map { "/\($0)" } ?? ""
            return "\(candidate.layout.rawValue)\(groups) \(candidate.columns) \(candidate.kernel.rawValue) "
                + candidate.prefetch.rawValue
        }
        return (["\(TuningCache.version)", cpu, instructionSet.rawValue, "\(threadCount) threads"] + candidates)
            .joined(separator: "; ")
    }
}
