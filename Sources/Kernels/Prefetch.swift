import CKernels

/// How weights are asked for before products with one row of activations read them, besides what the processor does by
/// itself. It changes no bit; which is fastest depends on the processor, the layout and the number of threads.
public enum Prefetch: String, CaseIterable, Sendable {
    /// The processor alone.
    case none
    /// 8 KiB ahead, into the second-level cache.
    case far
    /// That, and 1 KiB ahead into the first.
    case near

    /// What mostly suits this processor.
    public static let usual = Prefetch(ryz_usual_prefetch())

    private init(_ code: ryz_prefetch) {
        self = Prefetch.allCases.first { $0.code == code } ?? .none
    }

    var code: ryz_prefetch {
        switch self {
        case .none: RYZ_PREFETCH_NONE
        case .far: RYZ_PREFETCH_FAR
        case .near: RYZ_PREFETCH_FAR_AND_NEAR
        }
    }
}
