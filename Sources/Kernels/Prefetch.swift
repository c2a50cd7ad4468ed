import CKernels

/// How weights are asked for in advance when products read them, those of ternary layouts and bit planes for any number of
/// rows of activations, others for one row. It changes no bit; which is fastest depends on the processor, the layout and the
/// number of threads.
public enum Prefetch: String, CaseIterable, Sendable {
    /// By the processor's own prefetcher alone.
    case hardware
    /// 8 KiB ahead, into the second-level cache, as well.
    case far
    /// That, and 1 KiB ahead into the first.
    case near

    /// What mostly suits this processor for weights in a layout.
    public static func usual(for layout: TileLayout) -> Prefetch { Prefetch(ryz_usual_prefetch(layout.code)) }

    private init(_ code: ryz_prefetch) {
        self = Prefetch.allCases.first { $0.code == code } ?? .hardware
    }

    var code: ryz_prefetch {
        switch self {
        case .hardware: RYZ_PREFETCH_HARDWARE
        case .far: RYZ_PREFETCH_FAR
        case .near: RYZ_PREFETCH_NEAR
        }
    }
}
