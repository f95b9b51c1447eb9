"""An ISDOC as another issuer writes it."""

from tests.unit.central.market.content_examples import SUPPLIER

COMPANY: str = SUPPLIER
"""What our desk knows the issuer by: it gives the EAN as its identification."""
LINE = """
  <InvoiceLine><ID>{place}</ID><InvoicedQuantity unitCode="{unit}">{quantity}</InvoicedQuantity>
   <LineExtensionAmount>{net}</LineExtensionAmount><LineExtensionAmountTaxInclusive>0</LineExtensionAmountTaxInclusive>
   <LineExtensionTaxAmount>0</LineExtensionTaxAmount><UnitPrice>{price}</UnitPrice>
   <UnitPriceTaxInclusive>0</UnitPriceTaxInclusive>
   <ClassifiedTaxCategory><Percent>21</Percent><VATCalculationMethod>0</VATCalculationMethod></ClassifiedTaxCategory>
   <Item><Description>{name}</Description>
    <SellersItemIdentification><ID>{code}</ID></SellersItemIdentification></Item></InvoiceLine>"""
LINES = (
    {"place": 1, "unit": "MWH", "quantity": "1.5", "net": "1500.00", "price": "1000", "name": "VT", "code": "13"},
    {"place": 2, "unit": "MON", "quantity": "1", "net": "274.00", "price": "274", "name": "jistič", "code": "GU018"},
)


def isdoc(
    *, number: str = "FV-2026-15", issuer: str = COMPANY, net: str = "1774.00", kind: str = "1", extension: str = "",
    lines: str | None = None, issued: str = "2026-03-05",
) -> bytes:  # fmt: skip
    """Two lines of electricity; `extension` is put into Extensions."""
    body = "".join(LINE.format(**each) for each in LINES) if lines is None else lines
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Invoice xmlns="http://isdoc.cz/namespace/2013" version="6.0.1">
 <DocumentType>{kind}</DocumentType><ID>{number}</ID><UUID>5EE3A4AC-3BEB-5A5C-8F5B-111111111111</UUID>
 <IssueDate>{issued}</IssueDate><TaxPointDate>2026-02-28</TaxPointDate><VATApplicable>true</VATApplicable>
 <ElectronicPossibilityAgreementReference/><LocalCurrencyCode>CZK</LocalCurrencyCode><CurrRate>1</CurrRate>
 <RefCurrRate>1</RefCurrRate><Extensions>{extension}</Extensions>
 <AccountingSupplierParty><Party><PartyIdentification><ID>{issuer}</ID></PartyIdentification>
  <PartyName><Name>Distribuce, a.s.</Name></PartyName></Party></AccountingSupplierParty>
 <AccountingCustomerParty><Party><PartyIdentification><ID>27082440</ID></PartyIdentification>
  <PartyName><Name>LDS, s.r.o.</Name></PartyName></Party></AccountingCustomerParty>
 <InvoiceLines>{body}</InvoiceLines>
 <TaxTotal><TaxAmount>372.54</TaxAmount></TaxTotal>
 <LegalMonetaryTotal><TaxExclusiveAmount>{net}</TaxExclusiveAmount><TaxInclusiveAmount>2146.54</TaxInclusiveAmount>
  <PayableAmount>2146.54</PayableAmount></LegalMonetaryTotal>
 <PaymentMeans><Payment><PaidAmount>2146.54</PaidAmount><PaymentMeansCode>42</PaymentMeansCode><Details>
  <PaymentDueDate>2026-03-19</PaymentDueDate><VariableSymbol>202615</VariableSymbol></Details></Payment></PaymentMeans>
</Invoice>""".encode()
