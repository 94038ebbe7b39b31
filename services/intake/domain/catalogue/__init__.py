"""Catalogue 事项目录: what can be applied for, where, with which materials, and what comes out.

``places``   divisions and departments with their staff
``licences`` licence types with their face fields
``items``    service items, materials, offers
``bundles``  things done at once (一件事)
``codes``    item codes of GB/T 39554.1
``forms``    form fields and the check of what was filled in
``guide``    answers to exact material list
``instant``  published rules of instant decisions
``rules``    what must hold across the whole catalogue
``model``    the catalogue itself with its look-ups
"""
