/// A date and time of the proleptic Gregorian calendar in UTC, and its text in the C locale.
struct CivilDate {
    let year: Int
    /// 1 to 12.
    let month: Int
    /// 1 to 31.
    let day: Int
    let hour: Int
    let minute: Int
    let second: Int
    /// 0 is Sunday.
    let weekday: Int
    /// 1 is 1 January.
    let dayOfYear: Int
    let secondsSince1970: Int64

    private static let monthNames = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let weekdayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    /// Times outside the years 1 to 9999 become the nearest within, as Python has no others.
    ///
    /// Year, month and day follow Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    init(secondsSince1970: Int64) {
        let seconds = min(max(secondsSince1970, -62_135_596_800), 253_402_300_799)
        self.secondsSince1970 = seconds
        let secondOfDay = Int((seconds % 86_400 + 86_400) % 86_400)
        let days = Int((seconds - Int64(secondOfDay)) / 86_400)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayFromMarch = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayFromMarch + 2) / 153
        day = dayFromMarch - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = secondOfDay / 3600
        minute = secondOfDay / 60 % 60
        second = secondOfDay % 60
        weekday = ((days + 4) % 7 + 7) % 7
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let daysBefore = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
        dayOfYear = daysBefore[month - 1] + (isLeap && month > 2 ? 1 : 0) + day
    }

    /// The text for a format of `strftime`; nil if it has a code that is not known.
    func formatted(_ format: String) -> String? {
        var result = ""
        var scalars = Array(format.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            guard var code = scalars.popFirst() else { return nil }
            let isUnpadded = code == "-"
            if isUnpadded {
                guard let next = scalars.popFirst() else { return nil }
                code = next
            }
            guard let field = field(code) else { return nil }
            result += isUnpadded ? Self.unpadded(field) : field
        }
        return result
    }

    private static func unpadded(_ field: String) -> String {
        let rest = field.drop { $0 == "0" || $0 == " " }
        return rest.isEmpty ? String(field.suffix(1)) : String(rest)
    }

    private func number(_ value: Int, width: Int = 2, fill: Character = "0") -> String {
        PythonText.padded(String(value), to: width, with: fill)
    }

    private var hourOfHalfDay: Int { hour % 12 == 0 ? 12 : hour % 12 }
    private var time: String { "\(number(hour)):\(number(minute)):\(number(second))" }

    private func field(_ code: Unicode.Scalar) -> String? {
        switch code {
        case "Y": String(year)
        case "C": number(year / 100)
        case "y": number(year % 100)
        case "m": number(month)
        case "B": Self.monthNames[month - 1]
        case "b", "h": String(Self.monthNames[month - 1].prefix(3))
        case "d": number(day)
        case "e": number(day, fill: " ")
        case "j": number(dayOfYear, width: 3)
        case "A": Self.weekdayNames[weekday]
        case "a": String(Self.weekdayNames[weekday].prefix(3))
        case "w": String(weekday)
        case "u": String(weekday == 0 ? 7 : weekday)
        case "H": number(hour)
        case "k": number(hour, fill: " ")
        case "I": number(hourOfHalfDay)
        case "l": number(hourOfHalfDay, fill: " ")
        case "M": number(minute)
        case "S": number(second)
        case "f": "000000"
        case "p": hour < 12 ? "AM" : "PM"
        case "P": hour < 12 ? "am" : "pm"
        // Python's `datetime.now()` knows no zone and prints nothing for it.
        case "Z", "z": ""
        case "s": String(secondsSince1970)
        case "U": number((dayOfYear + 6 - weekday) / 7)
        case "W": number((dayOfYear + 6 - (weekday + 6) % 7) / 7)
        case "V": number(weekOfYear.week)
        case "G": String(weekOfYear.year)
        case "g": number(weekOfYear.year % 100)
        case "D", "x": "\(number(month))/\(number(day))/\(number(year % 100))"
        case "F": "\(year)-\(number(month))-\(number(day))"
        case "T", "X": time
        case "R": "\(number(hour)):\(number(minute))"
        case "r": "\(number(hourOfHalfDay)):\(number(minute)):\(number(second)) \(hour < 12 ? "AM" : "PM")"
        case "c":
            "\(Self.weekdayNames[weekday].prefix(3)) \(Self.monthNames[month - 1].prefix(3)) "
                + "\(number(day, fill: " ")) \(time) \(year)"
        case "n": "\n"
        case "t": "\t"
        case "%": "%"
        default: nil
        }
    }

    /// The week of ISO 8601 and the year it belongs to: the week's Thursday decides.
    private var weekOfYear: (year: Int, week: Int) {
        let daysToThursday = 3 - (weekday + 6) % 7
        let thursday = CivilDate(secondsSince1970: secondsSince1970 + Int64(daysToThursday) * 86_400)
        return (thursday.year, (thursday.dayOfYear - 1) / 7 + 1)
    }
}
