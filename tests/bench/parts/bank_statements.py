"""Large bank statements, written by the public layouts for the benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that came: amount, variable symbol, the counter account's number (at bank 0800) and the day."""

    amount: Decimal
    symbol: str
    counter: str
    day: date


def abo_file(iban: str, movements: Sequence[Movement]) -> bytes:
    """One statement in the form ABO (GPC), windows-1250."""
    total = int(sum(movement.amount for movement in movements) * 100)
    day = f"{movements[0].day:%d%m%y}"
    own = iban[8:]
    lines = [f"074{own}{'AREAL ENERGIE':<20}{day}{0:014d}+{total:014d}+{0:014d}0{total:014d}0001{day}{'':14}"]
    for place, movement in enumerate(movements, start=1):
        lines.append(
            f"075{own}{0:06d}{movement.counter}{place:013d}{int(movement.amount * 100):012d}2{movement.symbol:0>10}00"
            f"08000308{0:010d}{day}{'ODBĚRATEL':<20}00203{day}"
        )
    return ("\r\n".join(lines) + "\r\n").encode("cp1250")


def camt_file(iban: str, movements: Sequence[Movement]) -> bytes:
    """One statement in the form CAMT.053.001.08, UTF-8."""
    total = sum(movement.amount for movement in movements)
    day = movements[0].day

    def balance(kind: str, amount: Decimal | int) -> str:
        return (
            f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="CZK">{amount}</Amt>'
            f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
        )

    entries = [
        f'<Ntry><NtryRef>{place}</NtryRef><Amt Ccy="CZK">{movement.amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{movement.day}</Dt></BookgDt><ValDt><Dt>{movement.day}</Dt></ValDt>"
        f"<AcctSvcrRef>B{place:012d}</AcctSvcrRef><BkTxCd><Prtry><Cd>10000101000</Cd></Prtry></BkTxCd><NtryDtls><TxDtls>"
        f"<Refs><EndToEndId>/VS{movement.symbol}/SS/KS0308</EndToEndId></Refs><RltdPties><Dbtr><Pty><Nm>Odběratel</Nm>"
        f"</Pty></Dbtr><DbtrAcct><Id><Othr><Id>{movement.counter}</Id></Othr></Id></DbtrAcct></RltdPties><RltdAgts>"
        f"<DbtrAgt><FinInstnId><Othr><Id>0800</Id></Othr></FinInstnId></DbtrAgt></RltdAgts></TxDtls></NtryDtls></Ntry>"
        for place, movement in enumerate(movements, start=1)
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt><Id>S</Id><LglSeqNb>2</LglSeqNb><Acct><Id><IBAN>{iban}"
        f"</IBAN></Id><Ccy>CZK</Ccy></Acct>{balance('OPBD', 0)}{balance('CLBD', total)}{''.join(entries)}</Stmt>"
        "</BkToCstmrStmt></Document>"
    ).encode()
