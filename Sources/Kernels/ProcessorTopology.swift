/// Which of the processors that a process may use share a core, and which cores share a third-level cache, as those of a
/// Ryzen's core complex do.
public struct ProcessorTopology: Equatable, Sendable {
    /// [complex][core][logical processor], each in the order of their first processors. None is empty.
    public let complexes: [[[Int32]]]

    /// - Parameters:
    ///   - allowed: the processors that may be used; others are left out wherever they are named.
    ///   - coreOf: all logical processors of a processor's core, or nil if that is not known: then it is a core alone.
    ///   - cacheOf: all processors behind a processor's third-level cache, or nil if that is not known: all such form one
    ///     complex.
    public init(allowed: [Int32], coreOf: (Int32) -> [Int32]?, cacheOf: (Int32) -> [Int32]?) {
        let processors = Set(allowed).sorted()
        let cores = Self.grouped(processors) { coreOf($0)?.min() ?? $0 }
        complexes = Self.grouped(cores) { core in cacheOf(core[0])?.min() ?? -1 }
    }

    /// A processor of each core, complex by complex.
    public var cores: [Int32] { complexes.joined().map { $0[0] } }

    /// Where to pin threads of these numbers: to as few hyper-threads of one core, and as evenly over the complexes, as
    /// can be. Threads with consecutive numbers, which have consecutive parts of a matrix, are in the same complex.
    ///
    /// - Returns: `threadCount` processors, or none if there are fewer.
    public func processors(threadCount: Int) -> [Int32] {
        let ranked = complexes.indices.flatMap { complex in
            complexes[complex].enumerated().flatMap { core, processors in
                processors.enumerated().map { sibling, processor in
                    (rank: (sibling, core, complex), processor: processor)
                }
            }
        }
        guard threadCount <= ranked.count else { return [] }
        let chosen = Set(ranked.sorted { $0.rank < $1.rank }.prefix(threadCount).map(\.processor))
        return complexes.joined().joined().filter(chosen.contains)
    }

    /// Where to pin when nothing else was asked for: nowhere unless the threads take more than half of the cores.
    /// Processes with fewer may share the machine, and would all crowd the same cores.
    public func defaultProcessors(threadCount: Int) -> [Int32] {
        threadCount * 2 > cores.count ? processors(threadCount: threadCount) : []
    }

    private static func grouped<Element>(_ elements: [Element], by key: (Element) -> Int32) -> [[Element]] {
        var groups: [[Element]] = []
        var places: [Int32: Int] = [:]
        for element in elements {
            let key = key(element)
            if let place = places[key] {
                groups[place].append(element)
            } else {
                places[key] = groups.count
                groups.append([element])
            }
        }
        return groups
    }
}

extension ProcessorTopology {
    /// Numbers as Linux lists them, such as `0-3,8`, or nil for what is none.
    static func processors(listed text: String) -> [Int32]? {
        var processors: [Int32] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { Int32($0) }
            guard (1...2).contains(bounds.count), let first = bounds[0], let last = bounds[bounds.count - 1],
                0 <= first, first <= last, last - first < 1 << 16
            else { return nil }
            processors += first...last
        }
        return processors
    }
}
